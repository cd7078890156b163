"""Loading of METER models: whole, without the files of the training, and refused where something does not belong."""

import pytest
import torch
from meter_files import write_meter
from mmengine.config import Config
from tiny_meter import make_images, make_samples

from florence.apis import load_meter
from florence.apis.meter_loading import head_type, read_meter_config
from florence.datasets.digit_scenes.questions import ANSWERS
from florence.models.heads import VQAHead
from florence.tasks.answer_vocabulary import AnswerVocabulary

SENTENCE = dict(type='SentenceHead', classes=['no', 'yes'])


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    return write_meter(tmp_path_factory.mktemp('meter'))


def changed(config, **head):
    """The config with another head, or another argument of its head."""
    cfg = Config.fromfile(config)
    if 'type' in head:
        cfg.model.head = head
    else:
        cfg.model.head.update(head)
    return cfg


def test_all_weights_are_loaded(files):
    config, weights = files
    model = load_meter(str(config), str(weights))
    stored = torch.load(weights)['state_dict']
    state = model.state_dict()
    assert set(state) == set(stored) and all(torch.equal(state[name].cpu(), stored[name]) for name in stored)
    assert not model.training and model.tokenizer.tokenizer.is_trained
    assert model.head.answers.vocabulary.answers == ANSWERS
    assert not torch.equal(load_meter(str(config)).encoder.text_proj.weight, model.encoder.text_proj.weight)


def test_answers_come_from_the_checkpoint_where_their_file_is_gone(files, tmp_path):
    config, weights = files
    cfg = changed(config, answers=str(tmp_path / 'gone.json'))
    model = load_meter(cfg, str(weights))
    assert isinstance(model.head, VQAHead) and model.head.answers.vocabulary.answers == ANSWERS
    assert cfg.model.head.answers == str(tmp_path / 'gone.json')  # the caller's config stays
    same = load_meter(str(config), str(weights))
    images = make_images()
    found, expected = (each(images, make_samples(), 'predict') for each in (model, same))
    assert [sample.pred_answer_scores for sample in found] == [sample.pred_answer_scores for sample in expected]
    with pytest.raises(FileNotFoundError, match='no answer vocabulary at'):
        load_meter(cfg)
    torch.save({'state_dict': {'a': torch.zeros(1)}}, tmp_path / 'other.pth')
    with pytest.raises(FileNotFoundError, match='and checkpoint .*other.pth.* holds none'):
        load_meter(cfg, str(tmp_path / 'other.pth'))


def test_a_file_of_answers_that_is_there_must_be_that_of_the_checkpoint(files, tmp_path):
    config, weights = files
    AnswerVocabulary(ANSWERS).save(tmp_path / 'same.json')
    load_meter(changed(config, answers=str(tmp_path / 'same.json')), str(weights))
    AnswerVocabulary(ANSWERS[::-1]).save(tmp_path / 'other.json')
    with pytest.raises(ValueError, match="the answer vocabularies differ: .* answer 0 is 'navy' here, 'yes' there"):
        load_meter(changed(config, answers=str(tmp_path / 'other.json')), str(weights))


def test_random_weights_are_said(files, monkeypatch):
    said = []
    monkeypatch.setattr('florence.apis.model_loading.print_log', lambda message, **_: said.append(message))
    load_meter(str(files[0]), str(files[1]))
    assert said == []
    load_meter(str(files[0]))
    assert said == ['no checkpoint was given: the weights are random.']


def test_what_does_not_belong_is_refused(files, tmp_path):
    config, weights = map(str, files)
    with pytest.raises(ValueError, match=r'this config is for a sentence about images .*expected one for visual question'):
        load_meter(changed(config, **SENTENCE), weights)
    with pytest.raises(ValueError, match=r'is for visual question answering \(VQAHead\), expected one for captioning \(Capt'):
        load_meter(config, weights, head='CaptionHead')
    with pytest.raises(ValueError, match=r'does not fit this model: .*head.classifier'):
        load_meter(changed(config, **SENTENCE), weights, head=None)
    with pytest.raises(ValueError, match='the answer vocabularies differ: 2 answers here, 28 in the checkpoint'):
        load_meter(changed(config, answers=['yes', 'no']), weights)
    other = Config.fromfile(config)
    other.model.encoder.tokenizer.lower = False
    with pytest.raises(ValueError, match='made with a tokenizer of lower=True, this model has lower=False'):
        load_meter(other, weights)
    with pytest.raises(FileNotFoundError, match="no checkpoint 'none.pth'"):
        load_meter(config, 'none.pth')
    with pytest.raises(FileNotFoundError, match="no config file 'none.py'"):
        load_meter('none.py', weights)
    (tmp_path / 'text.pth').write_text('no checkpoint')
    (tmp_path / 'cut.pth').write_bytes(files[1].read_bytes()[:5000])
    for name in ('text.pth', 'cut.pth'):
        with pytest.raises(ValueError, match=f'{name}.* cannot be read'):
            load_meter(config, str(tmp_path / name))
    without = Config.fromfile(config)
    del without.model['head']
    with pytest.raises(ValueError, match='expected one for visual question answering'):
        load_meter(without, weights)
    with pytest.raises(ValueError, match="device 'quantum' cannot be used here"):
        load_meter(config, weights, 'quantum')


@pytest.mark.parametrize('content', [{}, {'model': dict(type='TwoTower')}, {'model': dict(type='mmdet.ATSS')}])
def test_configs_of_other_models(content):
    with pytest.raises(ValueError, match='this config has no model of type METERModel'):
        read_meter_config(Config(content))


def test_head_type_without_scope(files):
    assert head_type(read_meter_config(str(files[0]))) == 'VQAHead'
    assert head_type(changed(files[0], type='florence.CaptionHead')) == 'CaptionHead'
