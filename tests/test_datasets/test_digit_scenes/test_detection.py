"""Digit scenes for detection: samples as mmdet's COCO data set gives them, boxes tight around the ink, digits held out."""

import numpy as np
import pytest
from mmengine.registry import DefaultScope

import florence  # noqa: F401
from florence.datasets.digit_scenes import DigitSceneDetection
from florence.datasets.digit_scenes.coco import coco_annotations
from florence.datasets.digit_scenes.render import visible_masks
from florence.datasets.digit_scenes.scene import SceneRecipe, SceneSampler

RECIPE = dict(image_size=64, num_objects_probs=(0.25, 0.25, 0.25, 0.25), pairs='all')


def test_same_boxes_as_the_coco_file_of_the_scenes():
    dataset = DigitSceneDetection(20, split='test', recipe=RECIPE)
    coco = coco_annotations(SceneSampler(SceneRecipe(**RECIPE), 'test'), range(20))
    for number in range(20):
        instances = dataset[number]['instances']
        annotations = [item for item in coco['annotations'] if item['image_id'] == number]
        assert [item['bbox_label'] + 1 for item in instances] == [item['category_id'] for item in annotations]
        for ours, theirs in zip(instances, annotations, strict=True):
            x, y, width, height = theirs['bbox']
            assert ours['bbox'] == [x, y, x + width, y + height]


def test_mmdet_pipeline_takes_the_samples():
    DefaultScope.get_instance('detection', scope_name='mmdet')
    pipeline = [
        dict(type='LoadAnnotations', with_bbox=True, with_mask=True, poly2mask=True),
        dict(type='Resize', scale=(128, 128)),
        dict(type='PackDetInputs'),
    ]
    packed = DigitSceneDetection(3, split='train', recipe=RECIPE, pipeline=pipeline)[1]
    plain = DigitSceneDetection(3, split='train', recipe=RECIPE)[1]
    sample = packed['data_samples']
    assert packed['inputs'].shape == (3, 128, 128)
    np.testing.assert_allclose(sample.gt_instances.bboxes.tensor, 2 * np.array([item['bbox'] for item in plain['instances']]))
    assert sample.gt_instances.masks.masks.shape == (len(plain['instances']), 128, 128)
    assert sample.ori_shape == (64, 64) and sample.scale_factor == (2, 2)


def test_images_are_bgr():
    dataset = DigitSceneDetection(50, split='train', recipe=dict(RECIPE, num_objects_probs=(1.0,)))
    for number in range(50):
        scene = dataset.sampler.sample(dataset.sampler.rng(number))
        if scene.objects[0].color == 'red':
            blue, _, red = dataset[number]['img'][visible_masks(scene)[0]].mean(0)
            assert red > 2 * blue
            return
    raise AssertionError('no red digit in fifty scenes')


def test_held_out_digits_never_show():
    dataset = DigitSceneDetection(100, split='train', recipe=dict(RECIPE, digits=(0, 1, 2)))
    labels = {item['bbox_label'] for number in range(100) for item in dataset[number]['instances']}
    assert labels == {0, 1, 2}


@pytest.mark.parametrize('digits', [(), (3, 10)])
def test_unknown_digits_are_named(digits):
    with pytest.raises(ValueError, match='digits must be some of 0 to 9'):
        SceneRecipe(digits=digits)
