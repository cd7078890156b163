"""The served RoI ops against pooling written out sample by sample."""

import math

import mmcv.ops
import pytest
import torch

ROIS = torch.tensor(
    [[0, 1.3, 2.1, 9.7, 13.2], [1, -4.0, -3.5, 6.0, 5.0], [1, 8.2, 7.9, 8.9, 8.3], [0, 3.0, 3.0, 30.0, 26.0]],
    dtype=torch.float64,
)


def bilinear(channel, y, x):
    height, width = channel.shape
    if y < -1 or y > height or x < -1 or x > width:
        return channel.new_zeros(())
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    dy, dx = y - top, x - left
    upper = (1 - dx) * channel[top, left] + dx * channel[top, right]
    lower = (1 - dx) * channel[bottom, left] + dx * channel[bottom, right]
    return (1 - dy) * upper + dy * lower


def scan_roi_align(features, rois, size, scale, ratio, aligned):
    bins = []
    for image, *box in rois.tolist():
        left, top, right, bottom = (c * scale - 0.5 * aligned for c in box)
        width, height = right - left, bottom - top
        if not aligned:
            width, height = max(width, 1), max(height, 1)
        rows, columns = (ratio or math.ceil(side / count) for side, count in zip((height, width), size, strict=True))
        for channel in features[int(image)]:
            for i in range(size[0]):
                for j in range(size[1]):
                    samples = [
                        bilinear(
                            channel,
                            top + (i + (a + 0.5) / rows) * height / size[0],
                            left + (j + (b + 0.5) / columns) * width / size[1],
                        )
                        for a in range(rows)
                        for b in range(columns)
                    ]
                    bins.append(torch.stack(samples).mean())
    return torch.stack(bins).view(len(rois), features.size(1), *size)


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 2])
def test_roi_align_equals_formula(ratio, aligned):
    features = torch.randn(2, 2, 6, 7, dtype=torch.float64, requires_grad=True)
    pooled = mmcv.ops.roi_align(features, ROIS, (2, 3), 0.5, ratio, 'avg', aligned)
    expected = scan_roi_align(features, ROIS, (2, 3), 0.5, ratio, aligned)
    torch.testing.assert_close(pooled, expected)
    weights = torch.randn_like(pooled)
    (gradient,) = torch.autograd.grad((pooled * weights).sum(), features)
    (expected_gradient,) = torch.autograd.grad((expected * weights).sum(), features)
    torch.testing.assert_close(gradient, expected_gradient)


def test_roi_align_in_bfloat16_is_the_rounded_float32_result():
    features, rois = torch.randn(2, 2, 6, 7).bfloat16(), ROIS.bfloat16()
    features.requires_grad_()
    pooled = mmcv.ops.roi_align(features, rois, (2, 2), 0.5)
    assert pooled.dtype == torch.bfloat16
    wide = features.detach().float().requires_grad_()
    expected = mmcv.ops.roi_align(wide, rois.float(), (2, 2), 0.5)
    assert torch.equal(pooled, expected.bfloat16())
    pooled.sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(features.grad, wide.grad.bfloat16())


def test_roi_align_in_max_mode_is_an_error():
    with pytest.raises(RuntimeError, match=r"pool_mode='max' is not served.*compiled onedl-mmcv"):
        mmcv.ops.roi_align(torch.randn(2, 1, 4, 4), ROIS.float(), (2, 2), 1.0, 0, 'max')


def scan_roi_pool(features, rois, size, scale):
    height, width = features.shape[2:]
    bins = []
    for image, left, top, right, bottom in rois.tolist():
        left, top, right, bottom = left * scale, top * scale, (right + 1) * scale, (bottom + 1) * scale
        bin_h, bin_w = (bottom - top) / size[0], (right - left) / size[1]
        for channel in features[int(image)]:
            for i in range(size[0]):
                for j in range(size[1]):
                    y = range(max(math.floor(i * bin_h + top), 0), min(math.ceil((i + 1) * bin_h + top), height))
                    x = range(max(math.floor(j * bin_w + left), 0), min(math.ceil((j + 1) * bin_w + left), width))
                    cells = [channel[a, b] for a in y for b in x] if bin_h > 0 and bin_w > 0 else []
                    bins.append(torch.stack(cells).max() if cells else channel.new_zeros(()))
    return torch.stack(bins).view(len(rois), features.size(1), *size)


def test_roi_pool_equals_formula():
    features = torch.randn(2, 3, 6, 7, dtype=torch.float64, requires_grad=True)
    outside = torch.tensor([[0, 40.0, 40.0, 60.0, 60.0], [1, 5.0, 5.0, 3.0, 9.0]], dtype=torch.float64)
    rois = torch.cat([ROIS, outside])
    pooled = mmcv.ops.roi_pool(features, rois, (2, 3), 0.5)
    expected = scan_roi_pool(features, rois, (2, 3), 0.5)
    torch.testing.assert_close(pooled, expected)
    assert pooled[-2:].abs().sum() == 0
    weights = torch.randn_like(pooled)
    (gradient,) = torch.autograd.grad((pooled * weights).sum(), features)
    (expected_gradient,) = torch.autograd.grad((expected * weights).sum(), features)
    torch.testing.assert_close(gradient, expected_gradient)
