"""Annotation files that are no good: one sentence each."""

import copy
import json

import pytest

from florence.evaluation.functional.coco_annotations import load_annotation_file, to_arrays

CONTENT = {
    'images': [{'id': 7, 'height': 80, 'width': 100}],
    'categories': [{'id': 1, 'name': 'cat'}],
    'annotations': [{'id': 3, 'image_id': 7, 'category_id': 1, 'bbox': [1, 2, 3, 4], 'area': 9}],
}


def test_annotations_need_no_ids():
    content = copy.deepcopy(CONTENT)
    del content['annotations'][0]['id']
    assert to_arrays(content).truth.boxes.tolist() == to_arrays(CONTENT).truth.boxes.tolist() == [[1, 2, 3, 4]]


@pytest.mark.parametrize(
    ('part', 'change', 'message'),
    [
        ('images', {'id': None}, 'entry 1 of images of the annotation file lacks id'),
        ('images', {'id': 'x'}, 'ids of images of the annotation file must be all numbers or all texts'),
        ('images', {'id': [8]}, 'ids of images of the annotation file must be all numbers or all texts'),
        ('images', {}, '1 ids of images more than once, the first is 7'),
        ('categories', {'id': 2, 'name': None}, 'entry 1 of categories of the annotation file lacks name'),
        ('annotations', {'id': 4, 'bbox': None}, 'entry 1 of annotations of the annotation file lacks bbox'),
        ('annotations', {'id': 4, 'bbox': 5}, 'annotation 4 has the box 5, expected x, y, width, height'),
        ('annotations', {'id': 4, 'bbox': [1, 2, 3]}, r'annotation 4 has the box \[1, 2, 3\]'),
        ('annotations', {'id': 4, 'bbox': [1, 2, 3, 'a']}, 'has a box that is not made of numbers'),
        ('annotations', {'id': 4, 'bbox': [1, 2, 3, float('nan')]}, 'annotation 4 has the box .*, expected finite numbers'),
        ('annotations', {'id': 4, 'area': float('nan')}, 'annotation 4 has the area nan, expected finite numbers'),
        ('annotations', {'id': 4, 'area': [1]}, 'has a area that is not made of numbers'),
        ('annotations', {'id': 4, 'category_id': 9}, 'annotation 4 names image 7 and category 9'),
    ],
)
def test_broken_entries_are_named(part, change, message):
    content = copy.deepcopy(CONTENT)
    entry = {**content[part][0], **change}
    content[part].append({name: value for name, value in entry.items() if value is not None})
    with pytest.raises(ValueError, match=message):
        to_arrays(content)


def test_masks_need_the_size_of_their_image():
    content = copy.deepcopy(CONTENT)
    content['images'][0] = {'id': 7}
    content['annotations'][0]['segmentation'] = [[1, 1, 5, 1, 5, 5]]
    with pytest.raises(ValueError, match='image 7 has no height and width'):
        to_arrays(content, with_masks=True)


def test_files_that_are_no_annotations(tmp_path):
    path = tmp_path / 'a.json'
    for content, message in ((b'\x80\x81', 'a.json is no JSON'), (json.dumps(CONTENT).encode()[:40], 'a.json is no JSON')):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            load_annotation_file(path)
    with pytest.raises(ValueError, match='images of the annotation file is a dict, expected a list'):
        to_arrays({**CONTENT, 'images': {}})
