"""Crops, resizing and mirroring against torchvision."""

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize
from torchvision.transforms.functional import resized_crop

from florence.datasets.transforms import RandomFlip, RandomResizedCrop, ResizeCenterCrop

SHAPES = [(40, 60), (61, 37), (50, 50), (16, 200), (3, 5)]


def noise(height: int, width: int) -> np.ndarray:
    return np.random.randint(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('size', [32, 45])
def test_resize_center_crop_equals_torchvision(shape, size):
    img = noise(*shape)
    peer = Compose([Resize(size, InterpolationMode.BICUBIC), CenterCrop(size)])
    found = ResizeCenterCrop(size)({'img': img})['img']
    np.testing.assert_array_equal(found, np.asarray(peer(Image.fromarray(img))))


@pytest.mark.parametrize('shape', SHAPES)
def test_random_resized_crop_equals_torchvision_on_the_same_box(shape, monkeypatch):
    img = noise(*shape)
    transform = RandomResizedCrop(24, crop_scale=(0.2, 1.0))
    box = transform._random_box(*shape)
    monkeypatch.setattr(transform, '_random_box', lambda height, width: box)
    expected = resized_crop(Image.fromarray(img), *box, [24, 24], InterpolationMode.BICUBIC)
    np.testing.assert_array_equal(transform({'img': img})['img'], np.asarray(expected))


def test_crop_keeps_the_asked_share_of_the_area():
    transform = RandomResizedCrop(32, crop_scale=(0.3, 0.5))
    shares = []
    for _ in range(300):
        top, left, height, width = transform._random_box(400, 500)
        assert 0 <= top <= 400 - height and 0 <= left <= 500 - width
        assert 0.74 < width / height < 1.35
        shares.append(height * width / 400 / 500)
    assert 0.295 < min(shares) < 0.32 and 0.48 < max(shares) < 0.505


def test_default_crop_shows_nearly_the_whole_image():
    transform = RandomResizedCrop(32)
    boxes = [transform._random_box(100, 100) for _ in range(100)]
    assert min(height * width for _, _, height, width in boxes) >= 0.88 * 100 * 100
    assert len(set(boxes)) > 50


def test_extreme_shape_falls_back_to_the_largest_central_crop():
    assert RandomResizedCrop(32)._random_box(10, 1000) == (0, 493, 10, 13)
    assert RandomResizedCrop(32)._random_box(1000, 10) == (493, 0, 13, 10)


def test_scale_is_width_then_height():
    assert RandomResizedCrop((20, 10))({'img': noise(30, 30)})['img'].shape == (10, 20, 3)


def test_crops_follow_numpys_seed():
    img, transform = noise(50, 50), RandomResizedCrop(16)
    np.random.seed(3)
    first = transform({'img': img})['img']
    second = transform({'img': img})['img']
    np.random.seed(3)
    np.testing.assert_array_equal(transform({'img': img})['img'], first)
    assert (first != second).any()


def test_flip_is_off_by_default_and_mirrors_left_to_right():
    img = noise(4, 5)
    assert all(not RandomFlip()({'img': img})['flip'] for _ in range(50))
    np.testing.assert_array_equal(RandomFlip(1.0)({'img': img})['img'], np.fliplr(img))
    flips = [RandomFlip(0.3)({'img': img})['flip'] for _ in range(1000)]
    assert 0.25 < np.mean(flips) < 0.35


@pytest.mark.parametrize(
    ('build', 'word'),
    [
        (lambda: RandomFlip(1.5), 'prob'),
        (lambda: RandomResizedCrop(8, crop_scale=(0.0, 1.0)), 'crop_scale'),
        (lambda: RandomResizedCrop(8, crop_scale=(0.9, 0.5)), 'crop_scale'),
        (lambda: RandomResizedCrop(8, aspect_ratio=(0, 1)), 'aspect_ratio'),
    ],
)
def test_options_out_of_range_are_refused(build, word):
    with pytest.raises(ValueError, match=word):
        build()
