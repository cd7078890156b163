"""SNLI-VE, NLVR2 and NLVR: real files, labels, the pair of images, bad input."""

import json
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from florence.datasets import NLVR, NLVR2, SNLIVE, BadSample
from florence.datasets.nlvr2 import split_identifier
from florence.models.data_preprocessors import ImageTextPreprocessor

PAIR = [
    dict(
        type='florence.ForEachImage',
        transforms=[dict(type='florence.LoadImage'), dict(type='florence.ResizeCenterCrop', size=32)],
    ),
    dict(type='florence.PackImages'),
]


def infos(dataset):
    return [dataset.get_data_info(index) for index in range(len(dataset))]


def write_lines(path, rows):
    path.write_text('\n'.join(map(json.dumps, rows)) + '\n')


def test_snli_ve_real_file(test_data):
    folder = test_data / 'vqa_format_fixtures'
    dataset = SNLIVE(
        'visual_entailment/sample_pairs.jsonl',
        data_root=str(folder),
        data_prefix=dict(img_path='images/visual_entailment'),
        pipeline=[dict(type='florence.LoadImage'), dict(type='florence.PackImageText')],
    )
    assert dataset.metainfo['classes'] == ('contradiction', 'neutral', 'entailment')
    found = infos(dataset)
    assert [info['gt_label'] for info in found[:3]] == [0, 1, 2]
    assert Counter(info['gt_label'] for info in found) == {0: 4, 1: 6, 2: 6}
    sample = dataset[0]['data_samples']
    assert sample.text == 'A toddler sleeps outside.' and sample.sample_id == '2248275918.jpg#2r1c'


def test_snli_ve_without_consensus_and_unknown_labels(tmp_path, log_lines):
    rows = [
        {'Flickr30K_ID': '1', 'pairID': f'p{number}', 'sentence2': 's', 'gold_label': label}
        for number, label in enumerate(['neutral', '-'])
    ]
    write_lines(tmp_path / 'a.jsonl', rows)
    for test_mode in (False, True):
        assert [info['sample_id'] for info in infos(SNLIVE('a.jsonl', data_root=str(tmp_path), test_mode=test_mode))] == ['p0']
    assert any('left out 1 sentences on which the annotators did not agree' in line for line in log_lines)
    write_lines(tmp_path / 'b.jsonl', [{**rows[0], 'gold_label': 'maybe'}])
    with pytest.raises(ValueError, match="sentence 1 has the label 'maybe', expected one of contradiction, neutral, entailment"):
        SNLIVE('b.jsonl', data_root=str(tmp_path))
    write_lines(tmp_path / 'c.jsonl', [rows[0], rows[0]])
    with pytest.raises(ValueError, match="1 sample ids occur more than once, e.g. 'p0'"):
        SNLIVE('c.jsonl', data_root=str(tmp_path))


def nlvr2(test_data, **kwargs):
    return NLVR2(
        'nlvr2/tiny-dev.json',
        data_root=str(test_data / 'vqa_format_fixtures'),
        data_prefix=dict(img_path='images/nlvr2'),
        image_template='{pair}-img{number}.png',
        **kwargs,
    )


def test_nlvr2_real_file(test_data):
    dataset = nlvr2(test_data, pipeline=PAIR)
    found = infos(dataset)
    assert [info['sample_id'] for info in found[:2]] == ['dev-850-0-0', 'dev-850-2-0']
    assert [info['gt_label'] for info in found] == [0, 1, 0, 1, 1, 0, 0, 1]
    assert Counter(info['question_id'] for info in found) == {'dev-850-0': 4, 'dev-850-1': 4}
    packed = dataset[0]
    assert packed['inputs'].shape == (2, 3, 32, 32) and packed['inputs'].dtype == torch.uint8
    assert packed['data_samples'].gt_label == 0 and packed['data_samples'].image_id == 'dev-850-0'


def test_both_images_take_the_steps_in_their_order(test_data):
    dataset = nlvr2(test_data, pipeline=PAIR)
    left, right = (Image.open(path).convert('RGB').resize((32, 32)) for path in dataset.get_data_info(0)['img_paths'])
    inputs = dataset[0]['inputs'].float()
    means = inputs.mean((1, 2, 3)).tolist()
    assert means == pytest.approx([np.asarray(left).mean(), np.asarray(right).mean()], rel=0.15)
    assert not torch.equal(inputs[0], inputs[1])


def test_pairs_are_batched_and_normalised_as_single_images_are(test_data):
    dataset = nlvr2(test_data, pipeline=PAIR)
    pairs = [dataset[index]['inputs'] for index in range(3)]
    preprocessor = ImageTextPreprocessor()
    batch = preprocessor({'inputs': pairs, 'data_samples': []})['inputs']
    assert batch.shape == (3, 2, 3, 32, 32)
    assert batch.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
    for side in (0, 1):
        single = preprocessor({'inputs': [pair[side] for pair in pairs], 'data_samples': []})['inputs']
        assert torch.equal(batch[:, side], single)


def test_nlvr2_official_folders_and_hidden_labels(tmp_path, log_lines):
    rows = [
        {'identifier': 'train-12-0-1', 'sentence': 's', 'label': 'True', 'directory': 37},
        {'identifier': 'test2-4-1-0', 'sentence': 's'},
    ]
    write_lines(tmp_path / 'a.json', rows)
    whole = infos(NLVR2('a.json', data_root=str(tmp_path), test_mode=True))
    assert whole[0]['img_paths'] == tuple(str(tmp_path / f'train/37/train-12-0-img{side}.png') for side in (0, 1))
    assert whole[1]['img_paths'][1] == str(tmp_path / 'test2/test2-4-1-img1.png') and 'gt_label' not in whole[1]
    assert len(NLVR2('a.json', data_root=str(tmp_path))) == 1
    assert any('1 of 2 sentences have no label: left out of training' in line for line in log_lines)


def test_nlvr2_bad_input(test_data, tmp_path):
    with pytest.raises(ValueError, match="not 'dev-850-0'"):
        split_identifier('dev-850-0')
    with pytest.raises(ValueError, match='such as dev-850-2-1, not 850'):
        split_identifier(850)
    write_lines(tmp_path / 'a.json', [{'identifier': 'dev-1-0-0', 'sentence': 's', 'label': 'True'}])
    with pytest.raises(BadSample, match='dev-1-0-img0.png'):
        NLVR2('a.json', data_root=str(tmp_path), test_mode=True, pipeline=PAIR)[0]
    unequal = [dict(type='florence.ForEachImage', transforms=[dict(type='florence.LoadImage')]), PAIR[1]]
    (tmp_path / 'dev').mkdir()
    for side in (0, 1):
        Image.new('RGB', (20 + side, 20)).save(tmp_path / f'dev/dev-1-0-img{side}.png')
    with pytest.raises(ValueError, match=r"'dev-1-0-0' have the sizes \(H, W\) \[\(20, 20\), \(20, 21\)\]"):
        NLVR2('a.json', data_root=str(tmp_path), test_mode=True, pipeline=unequal)[0]


def test_for_each_image_needs_several():
    from florence.datasets.transforms import ForEachImage

    with pytest.raises(KeyError, match='img_paths'):
        ForEachImage([])({'sample_id': 'a', 'img_path': 'a.png'})


def test_nlvr_real_file(test_data):
    options = dict(data_root=str(test_data / 'vqa_nlvr'), val_share=0.2)
    train, val = (infos(NLVR('sentences.json', split=split, **options)) for split in ('train', 'val'))
    assert len(train) + len(val) == 500 and 70 < len(val) < 130
    assert {info['sample_id'] for info in train}.isdisjoint(info['sample_id'] for info in val)
    first = infos(NLVR('sentences.json', **options))[0]
    assert first['text'] == 'there is exactly one tower with a blue block at the base' and first['gt_label'] == 0
    whole = dict(type='florence.ResizeWhole', height=64, width=256)
    steps = [dict(type='florence.LoadImage'), whole, dict(type='florence.PackImageText')]
    assert NLVR('sentences.json', pipeline=steps, **options)[0]['inputs'].shape == (3, 64, 256)
