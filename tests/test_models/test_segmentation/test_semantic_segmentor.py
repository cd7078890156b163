"""The segmentor: loss, windows, flips and sizes of the file."""

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import PixelData
from torch import nn

from florence.models.segmentation import SemanticSegmentor
from florence.models.segmentation.sliding_windows import slide
from florence.registry import MODELS

CLASSES = 4


class Half(nn.Module):
    """A backbone whose maps are the image at half of its size."""

    out_channels = (3,)

    def forward(self, inputs):
        return (torch.nn.functional.avg_pool2d(inputs, 2, ceil_mode=True),)


@MODELS.register_module(force=True)
class PixelHead(nn.Module):
    def __init__(self, in_channels, num_classes):
        super().__init__()
        self.conv = nn.Conv2d(in_channels[0], num_classes, 1)

    def forward(self, maps):
        return self.conv(maps[0])


def segmentor(**options):
    torch.manual_seed(0)
    return SemanticSegmentor(Half(), dict(type='florence.PixelHead', num_classes=CLASSES), **options).eval()


def sample(labels=None, img_shape=(24, 32), ori_shape=None):
    found = DetDataSample(metainfo=dict(img_shape=img_shape, ori_shape=ori_shape or img_shape))
    if labels is not None:
        found.gt_sem_seg = PixelData(sem_seg=labels)
    return found


def images(number=2, height=24, width=32):
    return torch.randn(number, 3, height, width, generator=torch.Generator().manual_seed(1))


def test_loss_is_the_mean_of_the_pixels_that_have_a_class():
    model = segmentor(auxiliary_head=dict(type='florence.PixelHead', num_classes=CLASSES))
    inputs = images()
    labels = torch.randint(CLASSES, (2, 1, 24, 32), generator=torch.Generator().manual_seed(2))
    labels[:, :, :, 20:] = 255
    losses = model(inputs, [sample(each) for each in labels], mode='loss')
    logits = torch.nn.functional.interpolate(model(inputs), (24, 32), mode='bilinear')
    picked = -logits.log_softmax(1).gather(1, labels.clamp(max=CLASSES - 1))[:, 0, :, :20]
    torch.testing.assert_close(losses['loss_seg'], picked.mean())
    model.auxiliary_head = model.decode_head
    again = model(inputs, [sample(each) for each in labels], mode='loss')
    torch.testing.assert_close(again['loss_aux'], 0.4 * again['loss_seg'])
    nothing = model(inputs, [sample(torch.full((1, 24, 32), 255)) for _ in range(2)], mode='loss')
    assert nothing['loss_seg'].item() == 0


def test_classes_have_weights():
    labels = torch.randint(CLASSES, (2, 1, 24, 32), generator=torch.Generator().manual_seed(2))
    labels[:, :, :, 20:] = 255
    samples, weights = [sample(each) for each in labels], [0.1, 1, 2, 0]
    model = segmentor(class_weight=weights)
    logits = torch.nn.functional.interpolate(model(images()), (24, 32), mode='bilinear')
    expected = torch.nn.functional.cross_entropy(logits, labels[:, 0], torch.tensor(weights), ignore_index=255)
    torch.testing.assert_close(model(images(), samples, mode='loss')['loss_seg'], expected)
    assert not any('weight' in key for key in model.state_dict() if 'conv' not in key), 'checkpoints of mmsegmentation load'
    unweighted = [sample(torch.full_like(each, 3)) for each in labels]
    assert model(images(), unweighted, mode='loss')['loss_seg'] == 0
    with pytest.raises(ValueError, match='class_weight has 2 numbers for 4 classes'):
        segmentor(class_weight=[1, 2])


def test_unknown_classes_are_named():
    labels = torch.full((1, 24, 32), 150)
    with pytest.raises(ValueError, match='masks have classes 150 to 150, the head has 4, 0 to 3: .*reduce_zero_label=True'):
        segmentor()(images(1), [sample(labels)], mode='loss')
    with pytest.raises(ValueError, match=r'stride \(9, 9\) must be at least 1 and at most the window \(8, 8\)'):
        segmentor(window=(8, 8), stride=(9, 9))
    with pytest.raises(ValueError, match="must be 'loss', 'predict' or 'tensor', got 'x'"):
        segmentor()(images(1), mode='x')


@pytest.mark.parametrize('window', [(8, 12), (24, 32), (100, 10)])
def test_windows_cover_every_pixel_and_average(window):
    inputs = images()
    seen = torch.zeros(1, 1, 24, 32)

    def predict(crop):
        assert all(crop.shape[axis] <= window[axis - 2] for axis in (2, 3))
        return torch.cat([crop, torch.ones_like(crop[:, :1])], 1)

    found = slide(inputs, predict, window, (5, 7))
    torch.testing.assert_close(found, torch.cat([inputs, torch.ones_like(inputs[:, :1])], 1))

    numbers = iter(range(1000))

    def number(crop):
        return torch.full_like(crop[:, :1], next(numbers))

    found = slide(seen, number, window, (5, 7))
    tops = [*range(0, max(24 - window[0], 0), 5), max(24 - window[0], 0)]
    lefts = [*range(0, max(32 - window[1], 0), 7), max(32 - window[1], 0)]
    total, count = np.zeros((24, 32)), np.zeros((24, 32))
    for order, (top, left) in enumerate((top, left) for top in tops for left in lefts):
        total[top : top + window[0], left : left + window[1]] += order
        count[top : top + window[0], left : left + window[1]] += 1
    np.testing.assert_allclose(found[0, 0].numpy(), total / count, rtol=1e-6)


@pytest.mark.parametrize('options', [{}, dict(window=(8, 12), stride=(4, 4)), dict(flip=True)], ids=str)
def test_answers_have_the_size_of_the_file_and_padding_does_not_count(options):
    model = segmentor(**options)
    inputs = images(2)
    inputs[1, :, 16:] = inputs[1, :, :, 20:] = 0  # padding
    found = model(inputs, [sample(ori_shape=(48, 64)), sample(img_shape=(16, 20), ori_shape=(33, 40))], mode='predict')
    assert [tuple(each.pred_sem_seg.sem_seg.shape) for each in found] == [(1, 48, 64), (1, 33, 40)]
    if not options.get('window'):
        alone = model(inputs[1:, :, :16, :20], [sample(img_shape=(16, 20), ori_shape=(33, 40))], mode='predict')
        agree = (alone[0].pred_sem_seg.sem_seg == found[1].pred_sem_seg.sem_seg).float().mean()
        assert agree > 0.9  # but for the border, where the enlargement reads padding


def test_mirrored_images_give_mirrored_answers():
    model = segmentor(flip=True)
    inputs = images(1)
    one, other = (model(each, [sample()], mode='predict')[0].pred_sem_seg.sem_seg for each in (inputs, inputs.flip(-1)))
    assert torch.equal(one, other.flip(-1))
    assert not torch.equal(one, segmentor()(inputs, [sample()], mode='predict')[0].pred_sem_seg.sem_seg.roll(1, -1))
