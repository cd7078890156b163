"""Attention in chunks against the plain formula, values and gradients."""

import pytest
import torch

from florence.layers import chunked_attention as module
from florence.layers.chunked_attention import chunked_attention
from florence.layers.window_attention import biased_attention


def inputs(windows: int, heads: int, tokens: int, dtype=torch.float64) -> list[torch.Tensor]:
    shapes = [(windows, heads, tokens, 4)] * 3 + [(heads, tokens, tokens)]
    return [torch.randn(shape, dtype=dtype, requires_grad=True) for shape in shapes]


@pytest.fixture(params=[1, 2])
def num_threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize('pairs', [1, 2, 3, 5, 7, 100])
def test_values_and_gradients_for_every_way_to_cut(pairs, num_threads, monkeypatch):
    monkeypatch.setattr(module, 'CHUNK_BYTES', pairs * 6 * 6 * 8)
    tensors = inputs(5, 3, 6)
    grad = torch.randn(5, 3, 6, 4, dtype=torch.float64)
    out, expected = chunked_attention(*tensors), biased_attention(*tensors)
    torch.testing.assert_close(out, expected, atol=1e-12, rtol=1e-12)
    gradients = zip(torch.autograd.grad(out, tensors, grad), torch.autograd.grad(expected, tensors, grad), strict=True)
    for ours, theirs in gradients:
        torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize('tokens', [49, 400])
def test_single_precision(tokens, num_threads):
    """400 tokens: one window and head at a time, through the kernel of the linear layers; two threads: PyTorch's kernel."""
    tensors = inputs(3, 2, tokens, torch.float32)
    wide = [tensor.detach().double().requires_grad_() for tensor in tensors]
    out, expected = chunked_attention(*tensors), biased_attention(*wide)
    torch.testing.assert_close(out.double(), expected, atol=1e-5, rtol=1e-5)
    grad = torch.randn_like(out)
    ours, theirs = torch.autograd.grad(out, tensors, grad), torch.autograd.grad(expected, wide, grad.double())
    for gradient, reference in zip(ours, theirs, strict=True):
        assert (gradient.double() - reference).norm() <= 1e-6 * reference.norm()


def test_a_bias_that_learns_nothing_gets_no_gradient():
    *tensors, bias = inputs(2, 2, 5)
    chunked_attention(*tensors, bias.detach()).sum().backward()
    assert bias.grad is None and all(tensor.grad is not None for tensor in tensors)


def test_weights_are_not_stored():
    """Only what the arguments hold anyway is kept for the backward pass."""
    kept = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.data_ptr())
        return tensor

    tensors = inputs(4, 2, 30)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        chunked_attention(*tensors)
    assert set(kept) == {tensor.data_ptr() for tensor in tensors}


def test_with_several_threads_pytorch_never_holds_all_weights():
    tensors = inputs(4, 2, 30)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            chunked_attention(*tensors)
    finally:
        torch.set_num_threads(before)
    assert 'aten::_scaled_dot_product_flash_attention_for_cpu' in {event.key for event in profile.key_averages()}
