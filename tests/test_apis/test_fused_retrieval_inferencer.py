"""Retrieval on a user's images: scores of the whole model, candidates, the gallery, the command line, mistakes."""

import json
import sys

import numpy as np
import pytest
import torch
from conftest import REPO_ROOT
from mmengine.config import Config
from PIL import Image
from tiny_meter import encoder_config
from tiny_ranking import tiny_ranker, two_tower_config

from florence.apis import FusedRetrievalInferencer
from florence.apis.image_inputs import load_crops

TEXTS = ['a red seven', 'the two is left of the large nine, above the one', 'six']


def write_config(folder, two_tower=True):
    head = dict(type='RankingHead', two_tower=two_tower_config() if two_tower else None)
    model = dict(type='METERModel', encoder=encoder_config(), head=head)
    config = Config(dict(default_scope='florence', model=model, image_size=32))
    config.dump(folder / 'ranking.py')
    weights = tiny_ranker(two_tower)
    torch.save(dict(state_dict=weights.state_dict()), folder / 'weights.pth')
    return weights


@pytest.fixture
def folder(tmp_path):
    generator = np.random.default_rng(0)
    for index in range(7):
        Image.fromarray(generator.integers(0, 256, (40, 48, 3), np.uint8)).save(tmp_path / f'{index}.png')
    return tmp_path


def paths(folder):
    return [str(folder / f'{index}.png') for index in range(7)]


def inferencer(folder, **options):
    return FusedRetrievalInferencer(str(folder / 'ranking.py'), str(folder / 'weights.pth'), **options)


def whole_model(model, used, folder):
    _, images = load_crops(paths(folder), used.image_size)
    inputs = model.data_preprocessor({'inputs': [torch.from_numpy(image).permute(2, 0, 1) for image in images]})['inputs']
    with torch.no_grad():
        scores = [model.head.score(model.encoder.pair_features(inputs, [text] * 7)).flatten() for text in TEXTS]
        cosines = model.head.two_tower.encode_image(inputs) @ model.head.two_tower.encode_text(TEXTS).t()
    return torch.stack(scores), cosines.t()


@pytest.mark.parametrize('batch_size', [2, 64])
def test_results_are_those_of_the_whole_model(folder, batch_size):
    model = write_config(folder)
    used = inferencer(folder, batch_size=batch_size)
    scores, cosines = whole_model(model, used, folder)
    results = used.retrieve(paths(folder), TEXTS, num_results=7, out_dir=folder / 'out')
    assert [result['text'] for result in results] == TEXTS
    for own, likes, result in zip(scores, cosines, results, strict=True):
        order = own.argsort(descending=True).tolist()
        assert [found['path'] for found in result['images']] == [paths(folder)[index] for index in order]
        for key, expected in (('score', own), ('match', own.softmax(0)), ('similarity', likes)):
            assert [found[key] for found in result['images']] == pytest.approx(expected[order].tolist(), abs=1e-4)
        assert sum(found['match'] for found in result['images']) == pytest.approx(1)
    with Image.open(folder / 'out' / 'retrieval.png') as gallery:
        assert gallery.height > 3 * 128 and gallery.width > 5 * 128


def test_only_what_the_two_towers_propose_is_ranked(folder):
    model = write_config(folder)
    used = inferencer(folder, top_k=2)
    scores, cosines = whole_model(model, used, folder)
    for own, likes, result in zip(scores, cosines, used.retrieve(paths(folder), TEXTS, num_results=2), strict=True):
        proposed = likes.topk(2).indices
        expected = proposed[own[proposed].argsort(descending=True)].tolist()
        assert [found['path'] for found in result['images']] == [paths(folder)[index] for index in expected]


def test_copies_of_an_image_do_not_hide_each_other(folder):
    write_config(folder)
    (result,) = inferencer(folder, top_k=2).retrieve([str(folder / '0.png')] * 3, TEXTS[:1], num_results=2)
    assert len(result['images']) == 2


def test_without_two_towers(folder):
    write_config(folder, two_tower=False)
    (result,) = inferencer(folder).retrieve(paths(folder), TEXTS[:1])
    assert len(result['images']) == 5 and all(set(found) == {'path', 'score', 'match'} for found in result['images'])


def test_mistakes_are_named(folder):
    write_config(folder)
    used = inferencer(folder)
    for arguments, message in (
        ((paths(folder), []), r'a list of one text or more, got \[\]'),
        ((paths(folder), ['six', ' ']), 'text 2 of 2 is empty'),
        ((paths(folder), 'six'), "a list of one text or more, got 'six'"),
        ((paths(folder), ['six'], 0), 'num_results must be 1 or more, got 0'),
        (([str(folder / 'missing.png')], ['six']), 'missing.png'),
    ):
        with pytest.raises(ValueError, match=message):
            used.retrieve(*arguments)
    for option in ('batch_size', 'top_k'):
        with pytest.raises(ValueError, match='batch_size and top_k must be 1 or more'):
            inferencer(folder, **{option: 0})
    other = Config(dict(model=dict(type='METERModel', encoder=encoder_config(), head=dict(type='VQAHead', answers=['a', 'b']))))
    with pytest.raises(ValueError, match=r'visual question answering .* expected one for image-text retrieval'):
        FusedRetrievalInferencer(other)


def test_the_tool_takes_it_for_a_ranking_config(folder, monkeypatch, capsys):
    write_config(folder)
    import importlib.util

    spec = importlib.util.spec_from_file_location('infer', REPO_ROOT / 'tools' / 'infer.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    arguments = ['--model', folder / 'ranking.py', '--checkpoint', folder / 'weights.pth', '--text', 'a red seven; six']
    monkeypatch.setattr(sys, 'argv', [str(item) for item in ['infer.py', 'retrieve', *arguments, *paths(folder)]])
    tool.main()
    output = capsys.readouterr().out
    first, second = json.loads(output[output.index('[\n') :])
    assert (first['text'], second['text']) == ('a red seven', 'six') and 'match' in first['images'][0]
