"""Packing of clips: order of axes, views, classes and captions, mistakes."""

import numpy as np
import pytest
import torch

from florence.datasets.transforms import PackVideoText


def frames(count, size=(6, 8)):
    return [np.full((*size, 3), index, np.uint8) + np.arange(3, dtype=np.uint8) for index in range(0, 10 * count, 10)]


def test_axes():
    packed = PackVideoText()(
        dict(imgs=frames(4), sample_id='a.mp4', filename='x/a.mp4', original_shape=(60, 80), captions=('a', 'b'))
    )
    inputs, item = packed['inputs'], packed['data_samples']
    assert inputs.shape == (3, 4, 6, 8) and inputs.dtype == torch.uint8
    assert inputs[2, 3, 0, 0] == 32 and inputs[0, 1, 5, 7] == 10  # channel, time
    assert item.captions == ('a', 'b') and item.filename == 'x/a.mp4' and item.ori_shape == (60, 80) and item.img_shape == (6, 8)
    assert 'num_frames' not in item


def test_views_stand_one_after_the_other():
    inputs = PackVideoText()(dict(imgs=frames(6), clip_len=2, sample_id='a', label=3))['inputs']
    assert inputs.shape == (3, 3, 2, 6, 8)
    assert inputs[:, 0, :, 0, 0].tolist() == [[0, 10], [20, 30], [40, 50]]


def test_a_class_is_no_identity_of_a_text():
    item = PackVideoText('kinetics')(dict(imgs=frames(1), sample_id='a', label=np.int64(3), classes=('a', 'b', 'c', 'd')))[
        'data_samples'
    ]
    assert item.gt_label == 3 and 'label' not in item and item.templates == 'kinetics' and len(item.classes) == 4
    item = PackVideoText()(dict(imgs=frames(1), sample_id='a', text='a dog', label=77))['data_samples']
    assert item.label == 77 and 'gt_label' not in item


@pytest.mark.parametrize(
    ('results', 'message'),
    [
        (dict(imgs=[]), "frames of sample 'a.mp4' must have one size, got no frame"),
        (dict(imgs=frames(1) + frames(1, (4, 4))), 'must have one size, got .*(4, 4, 3)'),
        (dict(imgs=frames(5), clip_len=2), "5 frames of sample 'a.mp4' do not fill whole views of 2"),
        (dict(imgs=frames(5)), 'clips of 5 frames, pad_to is 4'),
        (dict(imgs=[frame.astype(float) for frame in frames(2)]), 'uint8'),
    ],
)
def test_mistakes_are_named(results, message):
    with pytest.raises(ValueError, match=message):
        PackVideoText(pad_to=4)(dict(results, sample_id='a.mp4'))
    with pytest.raises(ValueError, match='pad_to'):
        PackVideoText(pad_to=0)
    with pytest.raises(KeyError, match="needs 'sample_id', which the data set sets; found imgs"):
        PackVideoText()(dict(imgs=frames(1)))
