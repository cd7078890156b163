"""Digit scenes: determinism, disjoint splits, exact ground truth, captions."""

import subprocess
import sys

import cv2
import numpy as np
import pytest

from florence.datasets.digit_scenes import DigitSceneClassification, DigitScenePairs, DigitSceneRetrieval
from florence.datasets.digit_scenes.captions import caption, relation
from florence.datasets.digit_scenes.coco import coco_annotations
from florence.datasets.digit_scenes.render import boxes_of_masks, polygons_of_mask, render, visible_masks
from florence.datasets.digit_scenes.scans import digit_scans
from florence.datasets.digit_scenes.scene import (
    COLORS,
    DIGIT_NAMES,
    UNSEEN_PAIRS,
    DigitObject,
    DigitScene,
    SceneRecipe,
    SceneSampler,
)

PROBS = dict(short=0.3, medium=0.3, detailed=0.4)


def scenes(count=200, split='train', **recipe):
    sampler = SceneSampler(SceneRecipe(**recipe), split)
    return [sampler.sample(sampler.rng(index)) for index in range(count)]


def test_splits_share_no_scan_and_cover_all():
    total = 0
    for digit in range(10):
        train, test = digit_scans('train')[digit], digit_scans('test')[digit]
        assert not {scan.tobytes() for scan in train} & {scan.tobytes() for scan in test}
        assert 0.2 < len(test) / (len(train) + len(test)) < 0.3
        total += len(train) + len(test)
    assert total == 1797
    with pytest.raises(ValueError, match="'train' and 'test'"):
        digit_scans('val')


def test_a_scene_is_the_same_in_another_process(repo_root):
    code = (
        'from florence.datasets.digit_scenes import DigitScenePairs as P\n'
        'item = P(9, granularity_probs=dict(detailed=1.0))[5]\n'
        'print(item["text"], int(item["img"].astype(int).sum()))'
    )
    run = subprocess.run([sys.executable, '-c', code], cwd=repo_root, capture_output=True, text=True, check=True)
    item = DigitScenePairs(9, granularity_probs=dict(detailed=1.0))[5]
    assert run.stdout.splitlines()[-1] == f'{item["text"]} {int(item["img"].astype(int).sum())}'


def test_seed_and_split_change_the_scene():
    images = [
        DigitScenePairs(3, granularity_probs=PROBS, split=split, seed=seed)[1]['img'].tobytes()
        for split, seed in (('train', 0), ('train', 1), ('test', 0))
    ]
    assert len(set(images)) == 3


def test_unseen_pairs_never_occur_in_training_but_their_parts_do():
    shown = {(item.digit, item.color) for scene in scenes(3000) for item in scene.objects}
    assert not shown & UNSEEN_PAIRS
    assert len(shown) == 80 - len(UNSEEN_PAIRS) == 60
    assert {digit for digit, _ in shown} == set(range(10)) and {color for _, color in shown} == set(COLORS)
    unseen = {(item.digit, item.color) for scene in scenes(500, pairs='unseen') for item in scene.objects}
    assert unseen == UNSEEN_PAIRS


def test_image_shows_the_colour_inside_the_mask_and_the_ground_outside():
    for scene in scenes(50, num_objects_probs=(1.0,), image_size=48):
        image, mask = render(scene).astype(float), visible_masks(scene)[0]
        wanted = np.asarray(COLORS[scene.objects[0].color]) * scene.shade
        # the core of the stroke, away from its soft border
        core = cv2.erode(mask.astype(np.uint8), np.ones((2, 2))) > 0
        if core.sum() >= 10:
            assert np.abs(np.median(image[core], axis=0) - wanted).max() < 40, scene
        far = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9))) == 0
        assert np.ptp(image[far], axis=0).max() <= 12  # faint smudges of the scan


def test_boxes_are_tight_around_the_mask():
    masks = np.zeros((2, 10, 12), dtype=bool)
    masks[0, 2:5, 3:9] = True
    assert boxes_of_masks(masks).tolist() == [[3, 2, 9, 5], [0, 0, 0, 0]]


def test_boxes_agree_with_the_place_of_the_object():
    for scene in scenes(100, num_objects_probs=(0.5, 0.5), image_size=64):
        for item, box in zip(scene.objects, boxes_of_masks(visible_masks(scene)), strict=True):
            center = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
            assert max(abs(center[0] - item.center[0]), abs(center[1] - item.center[1])) < 0.35 * item.side
            assert 0 <= box[0] < box[2] <= 64 and 0 <= box[1] < box[3] <= 64


def test_a_near_object_hides_a_far_one():
    item = dict(digit=8, scan=0, size='large', side=20.0, angle=0.0)
    back = DigitObject(color='red', center=(16.0, 16.0), **item)
    front = DigitObject(color='blue', center=(16.0, 16.0), **item)
    scene = DigitScene((back, front), 'black', 32, 'train', 1.0)
    masks = visible_masks(scene)
    assert masks[0].sum() == 0 and masks[1].sum() > 20
    assert len(coco_annotations_of(scene)) == 1


def coco_annotations_of(scene):
    class OneScene:
        def rng(self, number):
            return np.random.default_rng(0)

        def sample(self, rng):
            return scene

    return coco_annotations(OneScene(), [0])['annotations']


def test_polygons_fill_the_mask():
    for scene in scenes(30, num_objects_probs=(1.0,), image_size=64):
        mask = visible_masks(scene)[0]
        filled = np.zeros(mask.shape, dtype=np.uint8)
        for polygon in polygons_of_mask(mask):
            cv2.fillPoly(filled, [np.asarray(polygon, dtype=np.int32).reshape(-1, 2)], 1)
        # holes such as those of a zero are filled: an outline covers at least the ink
        assert (filled.astype(bool) | ~mask).all()


def test_coco_export_is_read_by_pycocotools(tmp_path):
    import json

    from pycocotools.coco import COCO

    sampler = SceneSampler(SceneRecipe(num_objects_probs=(0.3, 0.4, 0.3), image_size=64), 'test')
    (tmp_path / 'scenes.json').write_text(json.dumps(coco_annotations(sampler, range(5))))
    coco = COCO(str(tmp_path / 'scenes.json'))
    assert [category['name'] for category in coco.loadCats(coco.getCatIds())] == list(DIGIT_NAMES)
    for annotation in coco.anns.values():
        # pycocotools draws the inner side of an outline and fills holes: thin strokes lose their border, a zero gains its hole
        assert 0.6 * annotation['area'] <= coco.annToMask(annotation).sum() <= 1.8 * annotation['area']


def test_captions_say_what_is_there():
    above = DigitObject(7, 0, 'red', 'large', (10.0, 8.0), 14.0, 0.0)
    below = DigitObject(2, 0, 'orange', 'small', (12.0, 24.0), 9.0, 0.0)
    scene = DigitScene((above, below), 'grey', 32, 'train', 1.0)
    rng = np.random.default_rng(0)
    texts = {caption(scene, 'detailed', rng) for _ in range(20)}
    assert texts == {
        'a large red seven above a small orange two on a grey ground',
        'a small orange two below a large red seven on a grey ground',
    }
    assert {caption(scene, 'medium', rng) for _ in range(20)} == {
        'a red seven above an orange two', 'an orange two below a red seven'
    }  # fmt: skip
    assert {caption(scene, 'short', rng) for _ in range(60)} == {'seven', 'red seven', 'two', 'orange two'}
    single = DigitScene((below,), 'brown', 32, 'train', 1.0)
    assert caption(single, 'detailed', rng) == 'a small orange two on a brown ground'
    three = DigitScene((above, below, above), 'white', 32, 'train', 1.0)
    assert caption(three, 'medium', rng).count(' and ') == 1
    with pytest.raises(ValueError, match='granularity'):
        caption(single, 'long', rng)


@pytest.mark.parametrize(('dx', 'dy', 'name'), [(-9, 3, 'left of'), (9, -3, 'right of'), (2, -8, 'above'), (-2, 8, 'below')])
def test_relation(dx, dy, name):
    make = lambda x, y: DigitObject(1, 0, 'red', 'small', (x, y), 8.0, 0.0)  # noqa: E731
    assert relation(make(16.0 + dx, 16.0 + dy), make(16.0, 16.0)) == name


def test_granularity_shares():
    data = DigitScenePairs(4000, granularity_probs=PROBS, recipe=dict(num_objects_probs=(1.0,)))
    texts = list(data.captions())
    share = [sum(len(text.split()) <= 2 for text in texts), sum('ground' in text for text in texts)]
    assert share[0] / 4000 == pytest.approx(0.3, abs=0.03) and share[1] / 4000 == pytest.approx(0.4, abs=0.03)
    assert texts[7] == data[7]['text']
    with pytest.raises(ValueError, match='sum to 1'):
        DigitScenePairs(4, granularity_probs=dict(short=0.5))
    with pytest.raises(ValueError, match='sum to 1'):
        DigitScenePairs(4, granularity_probs=dict(long=1.0))


def test_classification_labels():
    for task, num_classes in (('digit', 10), ('color', 8), ('digit_color', 80)):
        data = DigitSceneClassification(60, task=task)
        assert len(data.metainfo['classes']) == num_classes
        for index in range(60):
            item = data[index]
            scene = data.sampler.sample(data.sampler.rng(index))
            name = item['classes'][item['gt_label']]
            shown = scene.objects[0]
            expected = {'digit': DIGIT_NAMES[shown.digit], 'color': shown.color}
            assert name == expected.get(task, f'{shown.color} {DIGIT_NAMES[shown.digit]}')
    with pytest.raises(ValueError, match='task'):
        DigitSceneClassification(1, task='shape')


def test_retrieval_captions_are_distinct_and_belong_to_their_scene():
    data = DigitSceneRetrieval(300)
    captions = [data[index]['captions'][0] for index in range(300)]
    assert len(set(captions)) == 300
    for index in (0, 150, 299):
        scene = data.sampler.sample(data.sampler.rng(data.scene_index(index)))
        assert all(DIGIT_NAMES[item.digit] in captions[index] for item in scene.objects)
    with pytest.raises(ValueError, match='distinct captions'):
        DigitSceneRetrieval(2000, recipe=dict(num_objects_probs=(1.0,)))


def test_index_out_of_range():
    with pytest.raises(IndexError):
        DigitScenePairs(4, granularity_probs=PROBS)[4]


def test_bad_recipes():
    with pytest.raises(ValueError, match='pairs'):
        SceneRecipe(pairs='none')
    with pytest.raises(ValueError, match='sum to 1'):
        SceneRecipe(num_objects_probs=(0.5,))
