"""Class embeddings on the disk: found again, never for other weights, built anew where the file is no good."""

import logging

import pytest
import torch
from mmengine.registry import DefaultScope
from test_models.test_detectors.tiny_zero_shot import NAMES, TOWER

from florence.models.detectors.text_bank import TextBank
from florence.registry import MODELS, TOKENIZERS

NAMES = tuple(NAMES)


@pytest.fixture
def tower():
    with DefaultScope.overwrite_default_scope('florence'):
        model = MODELS.build(TOWER).eval()
    model.tokenizer.tokenizer.train(list(NAMES))
    return model


@pytest.fixture
def warnings(monkeypatch):
    said = []

    def note(message, logger=None, level=logging.INFO):
        said.append((level, message))

    monkeypatch.setattr('florence.models.detectors.text_bank.print_log', note)
    return said


def test_embeddings_are_those_of_the_tower_and_are_kept_on_the_disk(tower, tmp_path):
    bank = TextBank(tmp_path)
    embeds = bank.get(tower, NAMES, 'simple')
    assert torch.allclose(embeds, tower.class_embeddings(NAMES, 'simple'), atol=1e-6) and embeds.shape == (3, 12)
    (file,) = tmp_path.iterdir()
    content = torch.load(file, weights_only=True)
    assert content['names'] == list(NAMES) and torch.equal(content['embeds'], embeds)
    assert content['templates'] == ['a photo of a {}.']

    tower.text_tower.register_forward_hook(lambda *_: pytest.fail('the text tower was asked again'))
    again = TextBank(tmp_path)
    assert torch.equal(again.get(tower, NAMES, 'simple'), embeds) and again.built == 0
    assert bank.get(tower, NAMES, 'simple') is bank.get(tower, NAMES, 'simple') and bank.built == 1


def test_other_names_templates_or_tokens_are_another_file(tower, tmp_path):
    bank = TextBank(tmp_path)
    first = bank.get(tower, NAMES, 'simple')
    assert not torch.allclose(bank.get(tower, NAMES, 'name_only'), first)
    assert torch.equal(bank.get(tower, NAMES[::-1], 'simple').flip(0), first)
    tower.tokenizer.tokenizer = TOKENIZERS.build(TOWER['tokenizer'])
    tower.tokenizer.tokenizer.train(['other texts altogether, red and blue'])
    bank.get(tower, NAMES, 'simple')
    assert bank.built == 4 and len(list(tmp_path.iterdir())) == 4


def test_changed_weights_are_a_miss(tower, tmp_path):
    bank = TextBank(tmp_path)
    old = bank.get(tower, NAMES, 'simple')
    with torch.no_grad():
        tower.text_proj.weight[0, 0] += 1
    new = bank.get(tower, NAMES, 'simple')
    assert bank.built == 2 and not torch.equal(new, old) and len(list(tmp_path.iterdir())) == 2
    with torch.no_grad():
        tower.text_proj.weight[0, 0] -= 1
    # The image side has no part in it.
    torch.nn.init.ones_(tower.image_proj.weight)
    assert torch.allclose(bank.get(tower, NAMES, 'simple'), old, atol=1e-6)


def test_loading_a_checkpoint_is_noticed(tower):
    bank = TextBank()
    bank.get(tower, NAMES, 'simple')
    state = {name: value.clone() for name, value in tower.state_dict().items()}
    state['text_proj.weight'] = torch.randn_like(state['text_proj.weight'])
    tower.load_state_dict(state)
    new = bank.get(tower, NAMES, 'simple')
    assert torch.allclose(new, tower.class_embeddings(NAMES, 'simple'), atol=1e-6) and bank.built == 2


def _truncate(file):
    file.write_bytes(file.read_bytes()[:200])


def _empty(file):
    file.write_bytes(b'')


def _foreign(file):
    torch.save([1, 2, 3], file)


def _other_names(file):
    torch.save({**torch.load(file), 'names': ['x', 'y', 'z']}, file)


def _not_finite(file):
    content = torch.load(file)
    content['embeds'][0, 0] = float('nan')
    torch.save(content, file)


@pytest.mark.parametrize('damage', [_truncate, _empty, _foreign, _other_names, _not_finite])
def test_a_file_that_is_no_good_is_built_anew_and_said_so(tower, tmp_path, warnings, damage):
    embeds = TextBank(tmp_path).get(tower, NAMES, 'simple')
    (file,) = tmp_path.iterdir()
    damage(file)
    bank = TextBank(tmp_path)
    assert torch.equal(bank.get(tower, NAMES, 'simple'), embeds) and bank.built == 1
    assert [level for level, _ in warnings] == [logging.WARNING] and file.name in warnings[0][1]
    assert TextBank(tmp_path).get(tower, NAMES, 'simple') is not None and len(warnings) == 1, 'the file is whole again'


def test_a_folder_that_cannot_be_written_costs_the_file_only(tower, tmp_path, warnings):
    (tmp_path / 'taken').write_text('a file where the folder should be')
    bank = TextBank(tmp_path / 'taken')
    assert bank.get(tower, NAMES, 'simple').shape == (3, 12)
    assert warnings and 'cannot be' in warnings[-1][1]


def test_autocast_does_not_reach_the_bank(tower):
    with torch.autocast('cpu', torch.bfloat16):
        inside = TextBank().get(tower, NAMES, 'simple')
    assert torch.equal(inside, TextBank().get(tower, NAMES, 'simple'))
