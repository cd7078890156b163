"""Embeddings of regions: the whole image is the image, a crop is its pixels, small boxes can take the other way."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import DefaultScope
from test_models.test_detectors.tiny_zero_shot import TOWER, color_tower

from florence.models.detectors import CropRegionEncoder, RoIRegionEncoder
from florence.models.detectors.crop_region_encoder import crop_window
from florence.registry import MODELS


@pytest.fixture(scope='module')
def tower():
    with DefaultScope.overwrite_default_scope('florence'):
        return MODELS.build(TOWER).eval()


def encode(encoder, tower, images, boxes):
    maps = tower.image_tower(images)
    with torch.no_grad():
        return encoder(tower, images, maps[-1], boxes, [tuple(images.shape[2:])] * len(images))


@pytest.mark.parametrize('size', [(224, 224), (96, 160), (64, 416), (70, 45)])
def test_a_box_around_the_whole_image_has_the_embedding_of_the_image(tower, size):
    images = torch.randn(2, 3, *size)
    whole = torch.tensor([[0.0, 0, size[1], size[0]]])
    embeds = torch.cat(encode(RoIRegionEncoder(), tower, images, [whole, whole]))
    with torch.no_grad():
        expected = tower.encode_image(images)
    assert (1 - (embeds * expected).sum(1)).abs().max() < 1e-6
    if size == (70, 45):
        return
    other = torch.cat(encode(RoIRegionEncoder(), tower, images, [whole / 2, whole / 2]))
    assert (1 - (other * expected).sum(1)).max() > 1e-4, 'part of an image is something else'


def test_samples_that_do_not_meet_the_cells_stay_close(tower):
    images = torch.randn(2, 3, 96, 160)
    whole = torch.tensor([[0.0, 0, 160, 96]])
    embeds = torch.cat(encode(RoIRegionEncoder(sampling_ratio=14), tower, images, [whole, whole]))
    with torch.no_grad():
        assert (1 - (embeds * tower.encode_image(images)).sum(1)).max() < 1e-3


def test_a_region_is_the_mean_of_its_cells():
    """Stride 8: two by two cells with known colours; the box covers the right ones."""
    tower = color_tower()
    images = torch.rand(1, 3, 32, 32)
    (embeds,) = encode(RoIRegionEncoder(), tower, images, [torch.tensor([[16.0, 8, 32, 24]])])
    expected = F.normalize(images[0, :, 8:24, 16:32].mean((1, 2)), dim=0)
    assert torch.allclose(embeds[0], expected, atol=1e-6)


def test_the_crop_encoder_encodes_the_pixels_of_the_box(tower):
    images = torch.randn(2, 3, 64, 96)
    boxes = [torch.tensor([[10.0, 8, 42, 40], [0.0, 0, 96, 64]]), torch.tensor([[50.2, 20.9, 81.3, 51.1]])]
    embeds = torch.cat(encode(CropRegionEncoder(image_size=32, contexts=(1.0,), batch_size=2), tower, images, boxes))
    crops = [images[:1, :, 8:40, 10:42], images[:1], images[1:, :, 20:52, 50:82]]
    with torch.no_grad():
        resized = [F.interpolate(crop, (32, 32), mode='bicubic', antialias=True) for crop in crops]
        expected = torch.cat([tower.encode_image(crop) for crop in resized])
        assert torch.allclose(embeds[0], tower.encode_image(crops[0])[0], atol=1e-6), 'of the right size it is not resized'
    assert torch.allclose(embeds, expected, atol=1e-5)


def test_contexts_are_averaged(tower):
    images = torch.randn(1, 3, 64, 96)
    box = torch.tensor([[20.0, 16, 52, 48]])
    one, wide, both = (
        encode(CropRegionEncoder(image_size=32, contexts=contexts), tower, images, [box])[0]
        for contexts in ((1.0,), (1.5,), (1.0, 1.5))
    )
    assert torch.allclose(both, F.normalize(one + wide, dim=1), atol=1e-6)
    (direct,) = encode(CropRegionEncoder(image_size=32, contexts=(1.0,)), tower, images, [torch.tensor([[12.0, 8, 60, 56]])])
    assert torch.allclose(wide, direct, atol=1e-6)


@pytest.mark.parametrize(
    ('box', 'context', 'window'),
    [
        ((2.5, 3.5, 10.2, 8.0), 1.0, (2, 3, 11, 8)),
        ((0.0, 0.0, 20.0, 10.0), 1.5, (0, 0, 20, 10)),
        ((8.0, 2.0, 12.0, 8.0), 1.5, (7, 0, 13, 10)),
        ((20.0, 10.0, 20.0, 10.0), 1.0, (19, 9, 20, 10)),
        ((5.0, 5.0, 5.0, 5.0), 1.0, (5, 5, 6, 6)),
        ((-4.0, -3.0, -1.0, -1.0), 1.0, (0, 0, 1, 1)),
    ],
)
def test_windows_lie_in_the_image_and_are_not_empty(box, context, window):
    assert crop_window(box, context, (10, 20)) == window


def test_small_boxes_can_be_cut_out(tower):
    images = torch.randn(2, 3, 64, 96)
    small, large = [4.0, 4, 20, 20], [0.0, 0, 60, 60]
    boxes = [torch.tensor([small, large]), torch.tensor([large])]
    crop = dict(type='florence.CropRegionEncoder', image_size=32, contexts=(1.0,))
    mixed = encode(RoIRegionEncoder(crop_below=500, crop_encoder=crop), tower, images, boxes)
    pooled, cut = encode(RoIRegionEncoder(), tower, images, boxes), encode(MODELS.build(crop), tower, images, boxes)
    assert torch.equal(mixed[0][1], pooled[0][1]) and torch.equal(mixed[1], pooled[1])
    assert torch.allclose(mixed[0][0], cut[0][0], atol=1e-6) and not torch.allclose(cut[0][0], pooled[0][0], atol=1e-3)


@pytest.mark.parametrize('encoder', [RoIRegionEncoder(), CropRegionEncoder(image_size=32)])
def test_images_without_boxes(tower, encoder):
    images, none = torch.randn(2, 3, 64, 64), torch.zeros(0, 4)
    first, second = encode(encoder, tower, images, [none, torch.tensor([[1.0, 2, 30, 40]])])
    assert first.shape == (0, 12) and second.shape == (1, 12) and second.norm() == pytest.approx(1, abs=1e-5)
    assert [part.shape for part in encode(encoder, tower, images, [none, none])] == [(0, 12), (0, 12)]
