"""The deformable convolution against torchvision's kernel, through which mmcv's ops go where mmcv was not compiled."""

import mmcv.ops
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import deform_conv2d

from florence.layers import deform_conv
from florence.layers.deform_conv import ModulatedDeformConv2d, modulated_deform_conv2d

TOLERANCES = {torch.float32: 1e-5, torch.float64: 1e-10}


def make_inputs(size, out_size, channels=3, out_channels=4, kernel=(3, 3), batch=2, dtype=torch.float64, reach=3.0):
    taps = kernel[0] * kernel[1]
    x = torch.randn(batch, channels, *size, dtype=dtype)
    offset = reach * torch.randn(batch, 2 * taps, *out_size, dtype=dtype)
    mask = torch.rand(batch, taps, *out_size, dtype=dtype)
    weight = torch.randn(out_channels, channels, *kernel, dtype=dtype) / (channels * taps) ** 0.5
    bias = torch.randn(out_channels, dtype=dtype)
    return [tensor.requires_grad_() for tensor in (x, offset, mask, weight, bias)]


def assert_as_torchvision(inputs, stride=(1, 1), padding=(0, 0), dilation=(1, 1)):
    x, offset, mask, weight, bias = inputs
    actual = modulated_deform_conv2d(x, offset, mask, weight, bias, stride, padding, dilation)
    expected = deform_conv2d(x, offset, weight, bias, stride, padding, dilation, mask)
    assert_close(actual, expected)
    assert_same_gradients(actual, expected, inputs)


def assert_same_gradients(actual, expected, inputs):
    upstream = torch.randn_like(expected)
    ours, theirs = (torch.autograd.grad(output, inputs, upstream) for output in (actual, expected))
    for gradient, reference in zip(ours, theirs, strict=True):
        assert_close(gradient, reference)


def assert_close(actual, expected):
    assert actual.dtype == expected.dtype and actual.shape == expected.shape
    assert (actual - expected).abs().max() <= TOLERANCES[expected.dtype] * max(1.0, float(expected.detach().abs().max()))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_as_torchvision_for_any_geometry(data):
    two = st.tuples
    kernel = data.draw(two(st.integers(1, 3), st.integers(1, 4)))
    stride, dilation = (data.draw(two(st.integers(1, 3), st.integers(1, 3))) for _ in range(2))
    padding = data.draw(two(st.integers(0, 3), st.integers(0, 3)))
    least = [max(1, d * (k - 1) + 1 - 2 * p) for k, d, p in zip(kernel, dilation, padding, strict=True)]
    size = tuple(data.draw(st.integers(low, low + 8)) for low in least)
    geometry = zip(size, padding, dilation, kernel, stride, strict=True)
    out_size = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, p, d, k, s in geometry]
    torch.manual_seed(data.draw(st.integers(0, 99)))
    inputs = make_inputs(size, out_size, kernel=kernel, batch=data.draw(st.integers(1, 3)))
    assert_as_torchvision(inputs, stride, padding, dilation)


@pytest.mark.parametrize('dtype', TOLERANCES)
@pytest.mark.parametrize('stride', [1, 2])
def test_as_torchvision_over_several_chunks(dtype, stride, monkeypatch):
    monkeypatch.setattr(deform_conv, 'CPU_COLUMNS', 9 * 64 * 100)
    inputs = make_inputs((37, 53), (-(-37 // stride), -(-53 // stride)), 64, 32, dtype=dtype)
    assert_as_torchvision(inputs, (stride, stride), (1, 1))


def test_as_torchvision_for_channels_last_maps_and_offsets_across_the_map():
    inputs = make_inputs((20, 30), (20, 30), 8, 5, reach=40.0)
    inputs[:3] = [tensor.detach().to(memory_format=torch.channels_last).requires_grad_() for tensor in inputs[:3]]
    assert_as_torchvision(inputs, padding=(1, 1))


def test_mmcv_module_computes_exactly_what_torchvision_does():
    inputs = make_inputs((9, 11), (9, 11), dtype=torch.float32)
    x, offset, mask, weight, bias = inputs
    peer = mmcv.ops.ModulatedDeformConv2d(3, 4, 3, padding=1, bias=True)
    peer.load_state_dict({'weight': weight, 'bias': bias})
    assert torch.equal(peer(x, offset, mask), deform_conv2d(x, offset, weight, bias, padding=1, mask=mask))


def test_zero_offsets_have_the_gradients_of_mmcv():
    """With zero offsets the border's taps lie at -1, where torchvision takes the derivative from inside."""
    x, _, mask, weight, bias = inputs = make_inputs((6, 7), (6, 7))
    inputs[1] = offset = torch.zeros_like(inputs[1]).requires_grad_()
    ours = modulated_deform_conv2d(x, offset, mask, weight, bias, padding=1)
    mmcvs = mmcv.ops.modulated_deform_conv2d(x, offset, mask, weight, bias, 1, 1, 1, 1, 1)
    assert_same_gradients(ours, mmcvs, inputs)


def test_without_offsets_it_is_a_convolution():
    x, offset, mask, weight, bias = make_inputs((6, 7), (3, 4), dtype=torch.float32)
    actual = modulated_deform_conv2d(x, torch.zeros_like(offset), torch.ones_like(mask), weight, bias, 2, 1)
    assert_close(actual, torch.nn.functional.conv2d(x, weight, bias, 2, 1))
    assert actual.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('index', range(5))
def test_only_what_needs_a_gradient_gets_one(index):
    inputs = make_inputs((5, 6), (5, 6))
    expected = torch.autograd.grad(modulated_deform_conv2d(*inputs, padding=1).square().sum(), inputs)[index]
    alone = [tensor.detach().requires_grad_(position == index) for position, tensor in enumerate(inputs)]
    modulated_deform_conv2d(*alone, padding=1).square().sum().backward()
    assert [tensor.grad is not None for tensor in alone] == [position == index for position in range(5)]
    assert_close(alone[index].grad, expected)


def test_gradients_are_the_same_on_every_run():
    inputs = make_inputs((20, 30), (20, 30), 16, 16, dtype=torch.float32)

    def gradients():
        return torch.autograd.grad(modulated_deform_conv2d(*inputs, padding=1).square().sum(), inputs)

    assert all(torch.equal(first, second) for first, second in zip(gradients(), gradients(), strict=True))


def test_autocast_multiplies_in_bfloat16_and_samples_in_float32():
    """A pixel of 1 at every other column: beyond column 1024 half precision would round the quarter of a pixel away."""
    x = (torch.arange(1400) % 2).float().expand(1, 16, 1, 1400)
    offset = torch.zeros(1, 2, 1, 1400)
    offset[:, 1] = 0.25
    weight, mask = torch.eye(16).view(16, 16, 1, 1), torch.ones(1, 1, 1, 1400)
    for maps, offsets in ((x, offset), (x.bfloat16(), offset)):
        with torch.autocast('cpu', dtype=torch.bfloat16):
            output = modulated_deform_conv2d(maps, offsets, mask, weight)
        assert output.dtype == torch.bfloat16
        assert torch.equal(output[0, :, 0, 1100:1104].float(), torch.tensor([0.25, 0.75, 0.25, 0.75]).expand(16, 4))


def test_autocast_gradients_are_those_of_float32():
    inputs = make_inputs((12, 13), (12, 13), 32, 16, dtype=torch.float32, reach=1.0)
    expected = modulated_deform_conv2d(*inputs, padding=1)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        actual = modulated_deform_conv2d(*inputs, padding=1)
    upstream = torch.randn_like(expected)
    ours = torch.autograd.grad(actual, inputs, upstream.bfloat16())
    for gradient, reference in zip(ours, torch.autograd.grad(expected, inputs, upstream), strict=True):
        assert gradient.dtype == torch.float32
        assert (gradient - reference).norm() < 0.01 * reference.norm()


def test_an_empty_batch_gives_an_empty_map():
    inputs = make_inputs((5, 6), (5, 6), batch=0, dtype=torch.float32)
    output = modulated_deform_conv2d(*inputs, padding=1)
    assert output.shape == (0, 4, 5, 6)
    output.sum().backward()
    assert inputs[0].grad.shape == inputs[0].shape and not inputs[3].grad.any()


def test_module_keeps_its_layout_through_a_checkpoint():
    module, other = (ModulatedDeformConv2d(8, 6, 3, stride=2, padding=1) for _ in range(2))
    assert not torch.equal(module.weight, other.weight) and not module.bias.any()
    assert module.weight.abs().max() <= 1 / (8 * 9) ** 0.5
    other.load_state_dict(module.state_dict())
    x, offset, mask, *_ = make_inputs((9, 7), (5, 4), 8, dtype=torch.float32)
    assert torch.equal(module(x, offset, mask), other(x, offset, mask))
    assert other.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({0: torch.randn(2, 5, 6, 7)}, 'the kernel takes 3 channels, the map has 5'),
        ({0: torch.randn(2, 3, 1, 7)}, r'a map of \(1, 7\) pixels is smaller than the kernel'),
        ({1: torch.randn(2, 18, 6, 7)}, r'the offset of this convolution must have shape \(2, 18, 4, 5\), not \(2, 18, 6, 7\)'),
        ({2: torch.rand(2, 8, 4, 5)}, r'the mask of this convolution must have shape \(2, 9, 4, 5\), not \(2, 8, 4, 5\)'),
    ],
)
def test_shapes_that_do_not_fit_are_named(change, message):
    inputs = make_inputs((6, 7), (4, 5), dtype=torch.float32)
    for index, tensor in change.items():
        inputs[index] = tensor
    with pytest.raises(ValueError, match=message):
        modulated_deform_conv2d(*inputs)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs an NVIDIA GPU')
def test_on_a_gpu_as_on_cpu():
    inputs = make_inputs((19, 27), (19, 27), 16, 8)
    on_gpu = [tensor.detach().cuda().requires_grad_() for tensor in inputs]
    outputs = [modulated_deform_conv2d(*tensors, padding=1) for tensors in (inputs, on_gpu)]
    assert_close(outputs[1].cpu(), outputs[0])
    upstream = torch.randn_like(outputs[0])
    on_cpu = torch.autograd.grad(outputs[0], inputs, upstream)
    for expected, actual in zip(on_cpu, torch.autograd.grad(outputs[1], on_gpu, upstream.cuda()), strict=True):
        assert_close(actual.cpu(), expected)
