"""METER's RandAugment: each operation against numpy or a known picture, the draw, and what it never does."""

import random

import numpy as np
import pytest
from PIL import Image

from florence.datasets.transforms import RandAugment
from florence.datasets.transforms.rand_augment import OPERATIONS, apply_operation


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (48, 40, 3), dtype=np.uint8)


def augmented(picture, name, magnitude):
    return np.asarray(apply_operation(Image.fromarray(picture), name, magnitude)).astype(int)


def test_there_are_meters_fourteen_operations():
    assert len(OPERATIONS) == 14 and not any('flip' in name or 'invert' in name for name in OPERATIONS)


def test_tables_of_values(picture):
    levels = picture.astype(int)
    assert np.array_equal(augmented(picture, 'posterize', 30), levels & 0b11110000)
    assert np.array_equal(augmented(picture, 'posterize', 9), levels & 0b10000000)
    assert np.array_equal(augmented(picture, 'solarize', 9), np.where(levels < 76.8, levels, 255 - levels))
    brighter = np.clip(levels + 33, 0, 255)
    assert np.array_equal(augmented(picture, 'solarize_add', 9), np.where(brighter < 128, brighter, 255 - brighter))


def test_colour_operations_leave_the_image_at_15(picture):
    for name in ('color', 'contrast', 'brightness', 'sharpness'):
        assert np.abs(augmented(picture, name, 15) - picture).max() <= 1
    assert np.allclose(augmented(picture, 'brightness', 0), picture * 0.1, atol=1)


@pytest.mark.parametrize('name', ['rotate', 'shear_x', 'shear_y', 'translate_x', 'translate_y', 'solarize_add'])
def test_no_movement_at_0(picture, name):
    expected = np.where(picture < 128, picture, 255 - picture.astype(int)) if name == 'solarize_add' else picture
    assert np.array_equal(augmented(picture, name, 0), expected)


@pytest.mark.parametrize(('name', 'axis'), [('translate_x', 1), ('translate_y', 0)])
def test_shift_goes_both_ways_by_as_many_pixels(picture, name, axis):
    moved = np.moveaxis(picture.astype(int), axis, 0)
    seen = set()
    for _ in range(20):
        result = np.moveaxis(augmented(picture, name, 3), axis, 0)
        forward = np.array_equal(result[10:], moved[:-10]) and not result[:10].any()
        backward = np.array_equal(result[:-10], moved[10:]) and not result[-10:].any()
        assert forward != backward
        seen.add(forward)
    assert seen == {True, False}


def test_every_operation_keeps_size_and_type(picture):
    for name in OPERATIONS:
        for magnitude in (0, 9, 30):
            result = np.asarray(apply_operation(Image.fromarray(picture), name, magnitude))
            assert result.shape == picture.shape and result.dtype == np.uint8


def test_the_draw_follows_the_seed(picture):
    def draw(seed):
        random.seed(seed)
        return RandAugment()({'img': picture.copy()})['img']

    assert np.array_equal(draw(1), draw(1))
    assert len({draw(seed).tobytes() for seed in range(20)}) > 10


def test_bad_arguments():
    with pytest.raises(ValueError, match='num_ops'):
        RandAugment(num_ops=0)
    with pytest.raises(ValueError, match=r'\[0, 30\], not 31'):
        RandAugment(magnitude=31)
