"""The served deformable convolutions against one written out tap by tap, with autograd through it."""

import mmcv.ops
import pytest
import torch
from torch import Tensor


def sample(image: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Bilinear sample of `(C, H, W)` as mmcv's kernels take it: constant 0 from -1 outwards."""
    height, width = image.shape[1:]
    if y <= -1 or y >= height or x <= -1 or x >= width:
        return image.new_zeros(len(image))
    top, left = int(y.floor()), int(x.floor())
    value = image.new_zeros(len(image))
    for row, weight_y in ((top, top + 1 - y), (top + 1, y - top)):
        for column, weight_x in ((left, left + 1 - x), (left + 1, x - left)):
            if 0 <= row < height and 0 <= column < width:
                value = value + weight_y * weight_x * image[:, row, column]
    return value


def scan_deform_conv(x, offset, mask, weight, bias, stride, padding, dilation, groups, deform_groups):
    kernel_h, kernel_w = weight.shape[2:]
    taps = kernel_h * kernel_w
    rows = (x.size(2) + 2 * padding - dilation * (kernel_h - 1) - 1) // stride + 1
    columns = (x.size(3) + 2 * padding - dilation * (kernel_w - 1) - 1) // stride + 1
    outputs = []
    for b in range(len(x)):
        flat_offset = offset[b].flatten()
        flat_mask = None if mask is None else mask[b].flatten()
        for i in range(rows):
            for j in range(columns):
                windows = []
                for g, part in enumerate(x[b].chunk(deform_groups)):
                    for k in range(taps):
                        at = [((g * taps + k) * 2 + axis) * rows * columns + i * columns + j for axis in (0, 1)]
                        y = i * stride - padding + k // kernel_w * dilation + flat_offset[at[0]]
                        z = j * stride - padding + k % kernel_w * dilation + flat_offset[at[1]]
                        value = sample(part, y, z)
                        if mask is not None:
                            value = value * flat_mask[(g * taps + k) * rows * columns + i * columns + j]
                        windows.append(value)
                # (G * K, C / G) -> (C, K)
                window = torch.stack(windows).view(deform_groups, taps, -1).transpose(1, 2).reshape(-1, taps)
                for own_weight, own_window in zip(weight.chunk(groups), window.chunk(groups), strict=True):
                    outputs.append(own_weight.flatten(1) @ own_window.flatten())
    output = torch.cat(outputs).view(len(x), rows, columns, -1).permute(0, 3, 1, 2)
    return output if bias is None else output + bias[:, None, None]


def assert_same_values_and_gradients(actual, expected, inputs):
    torch.testing.assert_close(actual, expected)
    weights = torch.randn_like(actual)
    # some inputs share the graph that made them
    gradients = torch.autograd.grad((actual * weights).sum(), inputs, retain_graph=True)
    expected_gradients = torch.autograd.grad((expected * weights).sum(), inputs)
    for gradient, expected_gradient in zip(gradients, expected_gradients, strict=True):
        assert expected_gradient.abs().sum() > 0
        torch.testing.assert_close(gradient, expected_gradient)


def leaf(*shape, scale=1.0):
    return (torch.randn(*shape, dtype=torch.float64) * scale).requires_grad_()


CASES = {
    'plain': (1, 1, 1, 1, 1),
    'stride': (2, 1, 1, 1, 1),
    'dilation': (1, 2, 2, 1, 1),
    'groups': (1, 0, 1, 2, 1),
    'deform_groups': (2, 1, 1, 1, 2),
    'both_groups': (1, 1, 1, 2, 2),
}


def output_size(size, stride, padding, dilation, kernel=3):
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


@pytest.mark.parametrize('case', CASES)
def test_deform_conv_equals_formula(case):
    stride, padding, dilation, groups, deform_groups = CASES[case]
    rows, columns = (output_size(size, stride, padding, dilation) for size in (5, 4))
    x, weight = leaf(2, 4, 5, 4), leaf(6, 4 // groups, 3, 3)
    offset = leaf(2, deform_groups * 18, rows, columns, scale=1.5)
    settings = (stride, padding, dilation, groups, deform_groups)
    for im2col_step in (1, 32):
        actual = mmcv.ops.deform_conv2d(x, offset, weight, *settings, False, im2col_step)
        expected = scan_deform_conv(x, offset, None, weight, None, *settings)
        assert_same_values_and_gradients(actual, expected, [x, offset, weight])


@pytest.mark.parametrize('with_bias', [True, False])
@pytest.mark.parametrize('case', CASES)
def test_modulated_deform_conv_equals_formula(case, with_bias):
    stride, padding, dilation, groups, deform_groups = CASES[case]
    rows, columns = (output_size(size, stride, padding, dilation) for size in (5, 4))
    x, weight = leaf(2, 4, 5, 4), leaf(6, 4 // groups, 3, 3)
    offset = leaf(2, deform_groups * 18, rows, columns, scale=1.5)
    mask, bias = leaf(2, deform_groups * 9, rows, columns), leaf(6) if with_bias else None
    settings = (stride, padding, dilation, groups, deform_groups)
    actual = mmcv.ops.modulated_deform_conv2d(x, offset, mask, weight, bias, *settings)
    expected = scan_deform_conv(x, offset, mask, weight, bias, *settings)
    inputs = [x, offset, mask, weight] + ([bias] if with_bias else [])
    assert_same_values_and_gradients(actual, expected, inputs)


def test_border_taps_of_zero_offsets_have_mmcvs_derivative():
    x, weight, mask = leaf(1, 2, 4, 4), leaf(2, 2, 3, 3), leaf(1, 9, 4, 4)
    offset = torch.zeros(1, 18, 4, 4, dtype=torch.float64, requires_grad=True)
    settings = (1, 1, 1, 1, 1)
    actual = mmcv.ops.modulated_deform_conv2d(x, offset, mask, weight, None, *settings)
    expected = scan_deform_conv(x, offset, mask, weight, None, *settings)
    assert_same_values_and_gradients(actual, expected, [x, offset, mask, weight])
    plain = mmcv.ops.deform_conv2d(x, offset, weight, *settings)
    torch.testing.assert_close(plain, torch.nn.functional.conv2d(x, weight, padding=1))
    expected = scan_deform_conv(x, offset, None, weight, None, *settings)
    assert_same_values_and_gradients(plain, expected, [x, offset, weight])


@pytest.mark.parametrize('deform_groups', [1, 2])
def test_offsets_of_a_larger_map_are_read_flat(deform_groups):
    """Offsets `(6, 5)` for an output `(3, 3)`, cut from one buffer as mmdet's DyHead cuts them."""
    x, weight, bias = leaf(2, 4, 6, 5), leaf(4, 4, 3, 3), leaf(4)
    both = leaf(2, deform_groups * 27, 6, 5)
    offset, mask = both[:, : deform_groups * 18], both[:, deform_groups * 18 :].sigmoid()
    settings = (2, 1, 1, 1, deform_groups)
    actual = mmcv.ops.modulated_deform_conv2d(x, offset, mask, weight, bias, *settings)
    assert actual.shape == (2, 4, 3, 3)
    expected = scan_deform_conv(x, offset, mask, weight, bias, *settings)
    assert_same_values_and_gradients(actual, expected, [x, both, weight, bias])


def test_offsets_of_a_smaller_map_are_an_error():
    x, weight = leaf(1, 2, 6, 6), leaf(2, 2, 3, 3)
    with pytest.raises(ValueError, match=r'offset .* must cover the 6 x 6 positions .* has 3 x 3'):
        mmcv.ops.modulated_deform_conv2d(x, leaf(1, 18, 3, 3), leaf(1, 9, 3, 3), weight, None, 1, 1)


def test_channels_last_and_bfloat16_inputs():
    x, weight = torch.randn(2, 4, 6, 5), torch.randn(4, 4, 3, 3)
    offset, mask = torch.randn(2, 18, 6, 5), torch.rand(2, 9, 6, 5)
    expected = mmcv.ops.modulated_deform_conv2d(x, offset, mask, weight, None, 2, 1)
    last = [tensor.to(memory_format=torch.channels_last) for tensor in (x, offset, mask, weight)]
    torch.testing.assert_close(mmcv.ops.modulated_deform_conv2d(*last, None, 2, 1), expected)

    narrow = [tensor.bfloat16() for tensor in (x, offset, mask, weight)]
    expected = mmcv.ops.modulated_deform_conv2d(*(tensor.float() for tensor in narrow), None, 2, 1)
    actual = mmcv.ops.modulated_deform_conv2d(*(tensor.requires_grad_() for tensor in narrow), None, 2, 1)
    assert torch.equal(actual, expected.bfloat16())
    actual.sum().backward()
    assert all(tensor.grad.dtype == torch.bfloat16 and tensor.grad.abs().sum() > 0 for tensor in narrow)
