"""Submissions of detections: what is written, joined, and found wrong."""

import json
import zipfile

import numpy as np
import pytest

from florence.evaluation.functional.coco_annotations import to_arrays
from florence.evaluation.functional.coco_predictions import ImagePrediction
from florence.evaluation.leaderboards import (
    MAX_PER_IMAGE,
    check_detections,
    keep_best,
    merge_shards,
    read_boxes,
    read_results,
    result_records,
    submission_name,
    write_results,
    write_zip,
)

CONTENT = {
    'images': [{'id': 7, 'height': 80, 'width': 100}, {'id': 8, 'height': 80, 'width': 100}],
    'categories': [{'id': 1, 'name': 'cat'}, {'id': 90, 'name': 'dog'}],
}
ANNOTATIONS = to_arrays(CONTENT)


def record(**fields):
    return {'image_id': 7, 'category_id': 90, 'bbox': [1.0, 2.0, 3.0, 4.0], 'score': 0.5, **fields}


def test_records_have_original_ids_and_xywh():
    prediction = ImagePrediction(7, (80, 100), np.float32([[1, 2, 4, 6]]), np.float32([0.5]), np.array([1]))
    assert result_records([prediction], np.array([1, 90])) == [record()]
    mask = {'size': [80, 100], 'counts': b'abc'}
    masked = ImagePrediction(7, (80, 100), prediction.boxes, prediction.scores, prediction.labels, [mask], np.float32([0.25]))
    segmentation = {'size': [80, 100], 'counts': 'abc'}
    expected = {'image_id': 7, 'category_id': 90, 'score': 0.25, 'segmentation': segmentation}
    assert result_records([masked], np.array([1, 90]), masks=True) == [expected]
    assert check_detections([expected], ANNOTATIONS, 100) == []


def test_zip_holds_the_file_of_its_name(tmp_path):
    name = submission_name('test-dev2017', 'dyhead-h')
    assert name == 'detections_test-dev2017_dyhead-h_results'
    path = write_zip(tmp_path, name, [record(), record(image_id=8)])
    assert zipfile.ZipFile(path).namelist() == [f'{name}.json'] and [one.name for one in tmp_path.iterdir()] == [f'{name}.zip']
    assert read_results(path) == [record(), record(image_id=8)]
    path.rename(tmp_path / 'other.zip')
    with pytest.raises(ValueError, match='expected other.json alone'):
        read_results(tmp_path / 'other.zip')
    with pytest.raises(ValueError, match='server splits names'):
        submission_name('test-dev2017', 'my_method')
    with pytest.raises(ValueError, match='server splits names'):
        submission_name('test-dev2017', 'm\u00e9thode')


def test_nothing_remains_of_a_failed_write(tmp_path):
    with pytest.raises(ValueError, match='JSON'):
        write_zip(tmp_path, 'a', [record(), record(score=float('nan'))])
    assert list(tmp_path.iterdir()) == []


def test_all_is_well():
    crowd = [record(score=place / 100) for place in range(100)]
    assert check_detections([*crowd, record(image_id=8, category_id=1)], ANNOTATIONS, MAX_PER_IMAGE['coco']) == []


@pytest.mark.parametrize(
    ('wrong', 'sentence'),
    [
        ({'image_id': 9}, '2 entries name an image that the annotation file does not have (entry 1: 9).'),
        ({'image_id': [7]}, '2 entries name an image that the annotation file does not have (entry 1: [7]).'),
        ({'category_id': 89}, '2 entries name a category that the annotation file does not have (entry 1: 89).'),
        ({'score': float('nan')}, '2 entries have a score that is no finite number (entry 1: nan).'),
        ({'score': '0.5'}, "2 entries have a score that is no finite number (entry 1: '0.5')."),
        ({'bbox': [1, 2, 3]}, '2 entries have a box that is not four finite numbers (entry 1: [1, 2, 3]).'),
        ({'bbox': [5, 5, -2, 3]}, '2 entries have a box of negative width or height (entry 1: [5, 5, -2, 3]).'),
        (
            {'bbox': [60, 60, 90, 75]},
            '2 entries have a box that leaves its image, is it xyxy or of the resized image? (entry 1: [60, 60, 90, 75] in an '
            'image of 100 x 80).',
        ),
        (
            {'segmentation': [[1, 2, 3, 4]]},
            '2 entries have a mask that is no compressed run-length encoding (entry 1: [[1, 2, 3, 4]]).',
        ),
        (
            {'segmentation': {'size': [40, 50], 'counts': 'abc'}},
            '2 entries have a mask of another size than the image (entry 1: [40, 50] instead of [80, 100]).',
        ),
    ],
)
def test_kinds_of_problem(wrong, sentence):
    assert check_detections([record(), record(**wrong), record(**wrong)], ANNOTATIONS, 100) == [sentence]


def test_problems_of_the_whole_list():
    assert check_detections([], ANNOTATIONS, 100) == ['The list is empty: no detection to submit.']
    lacking = {key: value for key, value in record().items() if key not in ('score', 'bbox')}
    assert check_detections([3, lacking], ANNOTATIONS, 100) == [
        '1 entries are no objects (entry 0: 3).',
        "1 entries lack score, bbox (entry 1: it has ['category_id', 'image_id']).",
    ]
    indices = check_detections([record(category_id=0), record(category_id=1)], ANNOTATIONS, 100)
    assert len(indices) == 2 and 'look like indices of classes from 0' in indices[1]
    crowded = check_detections([record()] * 101, ANNOTATIONS, 100)
    assert crowded == ['1 images have more than 100 detections (image 7 has 101): keep the best ones.']


def test_best_ones_are_kept():
    records = [record(score=place / 10) for place in range(5)] + [record(image_id=8)]
    kept, dropped = keep_best(records, 2)
    assert [one['score'] for one in kept] == [0.4, 0.3, 0.5] and dropped == 3


def test_shards_are_joined(tmp_path):
    first, second, third = ([record(image_id=8), record()], [record(image_id=8)], [record(image_id=8, score=0.1)])
    for index, records in enumerate((first, second, third)):
        write_results(tmp_path / f'{index}.json', records)
    joined, repeated = merge_shards([tmp_path / '0.json', tmp_path / '1.json'])
    assert joined == first and repeated == 1
    (tmp_path / 'nameless.json').write_text(json.dumps([record(), 5]))
    with pytest.raises(ValueError, match='nameless.json: entry 1 has no image_id: 5'):
        merge_shards([tmp_path / '0.json', tmp_path / 'nameless.json'])
    with pytest.raises(ValueError, match='0.json and .*2.json have different results of image 8'):
        merge_shards([tmp_path / '0.json', tmp_path / '2.json'])


def test_files_that_are_no_results(tmp_path):
    with pytest.raises(FileNotFoundError, match='no results file'):
        read_results(tmp_path / 'none.json')
    (tmp_path / 'a.json').write_text(json.dumps({'image_id': 7}))
    with pytest.raises(ValueError, match='holds dict, expected a list'):
        read_results(tmp_path / 'a.json')
    (tmp_path / 'b.zip').write_text('no zip')
    with pytest.raises(ValueError, match='is no zip file'):
        read_results(tmp_path / 'b.zip')
    for content in (b'[{', b'\x80\x81'):
        (tmp_path / 'c.json').write_bytes(content)
        with pytest.raises(ValueError, match='c.json is no JSON'):
            read_results(tmp_path / 'c.json')
    damaged = write_zip(tmp_path, 'd', [record(image_id=number) for number in range(200)])
    content = bytearray(damaged.read_bytes())
    content[60:90] = bytes(30)
    damaged.write_bytes(content)
    with pytest.raises(ValueError, match='d.zip is damaged'):
        read_results(damaged)


@pytest.mark.parametrize('wrong', [{'bbox': [1, 2, 3]}, {'score': None}, {'category_id': [1]}, {'image_id': 1.5}])
def test_boxes_that_are_computed_with_are_whole(tmp_path, wrong):
    write_results(tmp_path / 'a.json', [record(), record(image_id='x')])
    assert [one['image_id'] for one in read_boxes(tmp_path / 'a.json')] == [7, 'x']
    write_results(tmp_path / 'b.json', [record(), record(**wrong)])
    with pytest.raises(ValueError, match='b.json: entry 1 is no detection with image_id, category_id, bbox and score'):
        read_boxes(tmp_path / 'b.json')
