"""Records of digit scenes: one scene, every task, no contradiction."""

import numpy as np
import pytest

from florence.datasets.digit_scenes import DigitSceneRecords
from florence.datasets.digit_scenes.render import visible_masks
from florence.evaluation.task_answers.places import box_overlap, rasterized
from florence.tasks.florence2.task import task_tags

RECIPE = dict(image_size=64, num_objects_probs=(0.3, 0.4, 0.3))


def records(outline='hull', **arguments):
    data = DigitSceneRecords(20, split='train', recipe=RECIPE, outline=outline, **arguments)
    return [data[index]['record'] for index in range(len(data))]


@pytest.mark.parametrize('outline', ['ink', 'hull'])
def test_polygons_lie_in_their_boxes(outline):
    for record in records(outline):
        for region in record['regions']:
            mask = rasterized([region['polygons']], (64, 64))
            rows, columns = np.nonzero(mask)
            assert box_overlap(region['box'], (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)) > 0.7


def test_hull_covers_the_ink_in_few_corners():
    data = DigitSceneRecords(20, split='train', recipe=RECIPE, outline='hull')
    for index in range(len(data)):
        regions = data[index]['record']['regions']
        scene = data.sampler.sample(data.sampler.rng(index))
        hulls = rasterized([region['polygons'] for region in regions], (64, 64))
        ink = visible_masks(scene).any(0)
        assert (hulls & ink).sum() > 0.95 * ink.sum()
        assert all(len(part) <= 30 for region in regions for part in region['polygons'])


def test_quads_are_turned_boxes_of_the_ink():
    for record in records():
        for region in record['regions']:
            corners = np.array(region['quad']).reshape(4, 2)
            sides = np.roll(corners, -1, 0) - corners
            assert np.abs((sides * np.roll(sides, -1, 0)).sum(1)).max() < 1e-6, 'right angles'
            assert np.linalg.det(sides[:2]) > 0, 'clockwise on the screen'
            assert np.hypot(*(corners.mean(0) - np.reshape(region['box'], (2, 2)).mean(0))) < 4


def test_texts_name_what_is_there_from_left_to_right():
    for record in records():
        places = [region['box'][0] + region['box'][2] for region in record['regions']]
        assert np.all(np.diff(places) > -8)
        for region in record['regions']:
            assert region['brief'] in record['texts']['detailed'] and region['brief'] in record['texts']['more_detailed']
        for triplet in record['triplets']:
            assert triplet['phrase'] in triplet['text'] and triplet['phrase'] in record['texts']['brief']
            assert len(triplet['boxes']) == len(triplet['polygons'])
        assert sum(len(triplet['boxes']) for triplet in record['triplets']) == len(record['regions'])


def test_what_is_grounded_is_named_in_any_order():
    pairs = [record for record in records() if len(record['triplets']) > 1]
    assert all(len({triplet['text'] for triplet in record['triplets']}) == 1 for record in pairs)
    as_in_caption = [record['triplets'][0]['text'] == record['texts']['brief'] for record in pairs]
    assert any(as_in_caption) and not all(as_in_caption)


def test_every_task_has_targets():
    pipeline = [dict(type='AskTask', tag=tag) for tag in task_tags()]
    for step in pipeline:
        data = DigitSceneRecords(3, split='test', recipe=RECIPE, pipeline=[step])
        for index in range(3):
            results = data[index]
            assert results['prompt'] and all(all(texts) for texts in results['references']), step


def test_texts_for_a_tokenizer_hold_all_words():
    words = {word for text in DigitSceneRecords(500, split='train', recipe=RECIPE).captions() for word in text.split()}
    assert {'seven', 'red', 'small', 'above', 'yes', 'digits'} <= words


def test_unknown_outline_is_named():
    with pytest.raises(ValueError, match="outline must be one of ink, hull, got 'box'"):
        DigitSceneRecords(1, split='train', outline='box')
