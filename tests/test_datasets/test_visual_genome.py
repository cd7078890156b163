"""Visual Genome in both forms, and attributes through mmdet's pipeline steps."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from florence.datasets import BadSample, VisualGenome

PIPELINE = [
    dict(type='mmdet.LoadImageFromFile'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(type='mmdet.Resize', scale=(40, 40), keep_ratio=True),
    dict(type='mmdet.RandomFlip', prob=1.0),
]
EXPECTED = [
    dict(bbox=[1.0, 2.0, 11.0, 12.0], bbox_label=1, ignore_flag=0, attributes=[0, 2]),
    dict(bbox=[10.0, 0.0, 20.0, 10.0], bbox_label=0, ignore_flag=0, attributes=[]),
]


@pytest.fixture
def coco_form(tmp_path):
    """Image 1 with two boxes, one of which reaches out of the image; image 2 with none that can be used."""
    (tmp_path / 'VG_100K').mkdir()
    for name in '12':
        Image.fromarray(np.zeros((10, 20, 3), np.uint8)).save(tmp_path / f'VG_100K/{name}.jpg')
    content = {
        'images': [{'id': number, 'file_name': f'VG_100K/{number}.jpg', 'width': 20, 'height': 12} for number in (1, 2)],
        'categories': [{'id': 7, 'name': 'man'}, {'id': 3, 'name': 'clock'}],
        'attributes': [{'id': 5, 'name': 'red'}, {'id': 9, 'name': 'tall'}, {'id': 6, 'name': 'green'}],
        'annotations': [
            {'image_id': 1, 'category_id': 7, 'bbox': [1, 2, 10, 10], 'attributes': [9, 5, 9]},
            {'image_id': 1, 'category_id': 3, 'bbox': [10, -4, 30, 14], 'attributes': [77]},
            {'image_id': 2, 'category_id': 3, 'bbox': [25, 0, 5, 5]},
            {'image_id': 3, 'category_id': 3, 'bbox': [0, 0, 5, 5]},
            {'image_id': 2, 'category_id': 4, 'bbox': [0, 0, 5, 5]},
        ],
    }
    (tmp_path / 'vg.json').write_text(json.dumps(content))
    return tmp_path


@pytest.fixture
def raw_form(coco_form):
    """The same content in the files of visualgenome.org."""
    images = [{'image_id': n, 'width': 20, 'height': 12, 'url': f'https://example.org/rak248/VG_100K/{n}.jpg'} for n in (1, 2)]
    man = {'object_id': 11, 'names': ['guy', ' Man '], 'x': 1, 'y': 2, 'w': 10, 'h': 10}
    clock = {'object_id': 12, 'names': ['clock'], 'x': 10, 'y': -4, 'w': 30, 'h': 14}
    attributes = [{'object_id': 11, 'attributes': ['Tall', 'red']}, {'object_id': 12, 'attributes': ['odd']}]
    files = {
        'image_data': images,
        'objects': [{'image_id': 1, 'objects': [man, clock, {**clock, 'names': ['sky']}]}, {'image_id': 2, 'objects': []}],
        'attributes': [{'image_id': 1, 'attributes': attributes}],
        'dicts': {'label_to_idx': {'clock': 1, 'man': 2}, 'attribute_to_idx': {'red': 1, 'green': 2, 'tall': 3}},
    }
    for name, content in files.items():
        (coco_form / f'{name}.json').write_text(json.dumps(content))
    return coco_form


def raw(root, **options):
    return VisualGenome(
        'objects.json', image_file='image_data.json', attributes_file='attributes.json', vocabulary_file='dicts.json',
        data_root=root, **options,
    )  # fmt: skip


def test_coco_form(coco_form, caplog):
    dataset = VisualGenome('vg.json', data_root=coco_form, test_mode=True)
    first = dataset.get_data_info(0)
    expected = [EXPECTED[0], {**EXPECTED[1], 'bbox': [10.0, 0.0, 20.0, 10.0]}]
    assert first['instances'] == expected
    assert (first['img_path'], first['img_id'], first['num_attributes']) == (str(coco_form / 'VG_100K/1.jpg'), 1, 3)
    assert dataset.metainfo['classes'] == ('clock', 'man')
    assert dataset.metainfo['attributes'] == ('red', 'green', 'tall')
    assert len(dataset) == 2


def test_what_is_left_out_is_counted(coco_form, monkeypatch):
    lines = []
    monkeypatch.setattr('florence.datasets.visual_genome.print_log', lambda line, **_: lines.append(line))
    assert len(VisualGenome('vg.json', data_root=coco_form)) == 1, 'an image without a box is no use in training'
    assert lines == [
        f'VisualGenome {coco_form}/vg.json: 2 images; left out: 1 attributes outside the vocabulary, 1 boxes without area in '
        'their image, 1 objects of an unknown image, 1 objects of an unknown category.'
    ]


def test_both_forms_give_the_same(raw_form):
    from_raw, from_coco = raw(raw_form, test_mode=True), VisualGenome('vg.json', data_root=raw_form, test_mode=True)
    assert [from_raw.get_data_info(i) for i in (0, 1)] == [from_coco.get_data_info(i) for i in (0, 1)]
    assert from_raw.metainfo == from_coco.metainfo


@pytest.mark.parametrize('text', ['[2]', '2\n'])
def test_image_ids_of_a_split(raw_form, text):
    (raw_form / 'val.txt').write_text(text)
    dataset = raw(raw_form, image_ids_file='val.txt', test_mode=True)
    assert [dataset.get_data_info(i)['img_id'] for i in range(len(dataset))] == [2]


def test_attributes_stay_with_their_boxes(coco_form):
    steps = [*PIPELINE, dict(type='florence.PackAttributes', meta_keys=('img_id', 'instances'))]
    packed = VisualGenome('vg.json', data_root=coco_form, pipeline=steps)[0]
    truth = packed['data_samples'].gt_instances
    assert truth.attributes.tolist() == [[1, 0, 1], [0, 0, 0]]
    assert truth.labels.tolist() == [1, 0]
    # Doubled and mirrored in an image 40 pixels wide: the file's image is 20 x 10.
    torch.testing.assert_close(truth.bboxes.tensor, torch.tensor([[18.0, 4, 38, 20], [0, 0, 20, 20]]))
    assert packed['data_samples'].instances == EXPECTED


def test_a_step_that_drops_boxes_is_an_error(coco_form):
    steps = [*PIPELINE, dict(type='mmdet.FilterAnnotations', min_gt_bbox_wh=(19, 19)), dict(type='florence.PackAttributes')]
    with pytest.raises(ValueError, match='2 boxes were read and 1 are left'):
        VisualGenome('vg.json', data_root=coco_form, pipeline=steps)[0]


@pytest.mark.parametrize('fault', ['missing', 'cut'])
def test_images_that_cannot_be_read(coco_form, fault):
    path = coco_form / 'VG_100K/1.jpg'
    content = path.read_bytes()
    path.unlink()
    if fault == 'cut':
        path.write_bytes(content[:100])
    dataset = VisualGenome('vg.json', data_root=coco_form, pipeline=PIPELINE, test_mode=True)
    with pytest.raises(BadSample, match='1.jpg'):
        dataset[0]
    assert dataset[1]['img_id'] == 2


def test_a_bad_image_is_replaced_in_training(coco_form):
    content = json.loads((coco_form / 'vg.json').read_text())
    content['annotations'].append({'image_id': 2, 'category_id': 3, 'bbox': [0, 0, 5, 5]})
    (coco_form / 'vg.json').write_text(json.dumps(content))
    (coco_form / 'VG_100K/1.jpg').unlink()
    dataset = VisualGenome('vg.json', data_root=coco_form, pipeline=PIPELINE, max_bad_share=0.6)
    assert dataset[0]['img_id'] == 2 and dataset.guard.num_bad == 1


def test_faults_are_named(coco_form):
    with pytest.raises(ValueError, match='needs both image_file and vocabulary_file'):
        VisualGenome('vg.json', data_root=coco_form, image_file='image_data.json')
    with pytest.raises(FileNotFoundError, match='no Visual Genome file at .*none.json'):
        VisualGenome('none.json', data_root=coco_form)
    whole = (coco_form / 'vg.json').read_text()
    (coco_form / 'half.json').write_text(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match='half.json is cut short or no JSON'):
        VisualGenome('half.json', data_root=coco_form)
    (coco_form / 'list.json').write_text('[]')
    with pytest.raises(ValueError, match='expected an object with images, categories, annotations'):
        VisualGenome('list.json', data_root=coco_form)


@pytest.mark.parametrize(
    'changes',
    [
        dict(bbox=[1, 2, 3]),
        dict(bbox=None),
        dict(bbox=['1', '2', '3', '4']),
        dict(bbox=...),
        dict(image_id=...),
        dict(attributes=None),
    ],
)
def test_an_entry_of_another_form_gets_one_sentence(changes, coco_form):
    content = json.loads((coco_form / 'vg.json').read_text())
    entry = content['annotations'][0] | changes
    content['annotations'] = [{key: value for key, value in entry.items() if value is not ...}]
    (coco_form / 'vg.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match='vg.json: an entry .*: expected one of the two forms'):
        VisualGenome('vg.json', data_root=coco_form)


def test_the_last_sample_counts_from_the_end(coco_form):
    dataset = VisualGenome('vg.json', data_root=coco_form)
    assert dataset[-1]['img_id'] == dataset[len(dataset) - 1]['img_id']
