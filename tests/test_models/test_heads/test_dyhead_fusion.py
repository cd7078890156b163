"""The fused passes against the same sums written out operation by operation."""

import pytest
import torch

from florence.models.heads import dyhead_fusion
from florence.models.heads.dyhead_fusion import moments, sum_and_rectify


def maps(count, dtype=torch.float64, layout=torch.channels_last):
    made = [torch.randn(2, 6, 5, 7, dtype=dtype) + 3 * torch.randn(6, 1, 1, dtype=dtype) for _ in range(count)]
    return [x.to(memory_format=layout).requires_grad_() for x in made]


def assert_same_gradients(actual, expected, inputs):
    torch.testing.assert_close(actual, expected)
    upstream = [torch.randn_like(output) for output in expected]
    ours, theirs = (torch.autograd.grad(outputs, inputs, upstream, retain_graph=True) for outputs in (actual, expected))
    torch.testing.assert_close(ours, theirs)
    assert all(gradient.any() for gradient in theirs)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Several per map, the last one shorter."""
    monkeypatch.setattr(dyhead_fusion, 'CPU_ELEMENTS', 2 * 6 * 8)


@pytest.mark.parametrize('layout', [torch.channels_last, torch.contiguous_format])
def test_moments(layout):
    (x,) = maps(1, layout=layout)
    y, mean, variance = moments(x)
    reference_variance, reference_mean = torch.var_mean(x, (2, 3), correction=0)
    assert y.stride() == x.stride()
    # the map itself takes part in the sum, as where it is used
    assert_same_gradients((3 * y, mean, variance), (3 * x, reference_mean, reference_variance), [x])


def test_moments_of_large_values_lose_nothing():
    x = (1000 + torch.randn(1, 4, 50, 60)).to(memory_format=torch.channels_last)
    _, mean, variance = moments(x)
    torch.testing.assert_close(variance.double(), x.double().var((2, 3), correction=0), rtol=1e-4, atol=0)
    torch.testing.assert_close(mean.double(), x.double().mean((2, 3)), rtol=1e-6, atol=0)


def test_moments_of_bfloat16_are_float32():
    (x,) = maps(1, torch.bfloat16)
    y, mean, variance = moments(x)
    assert (y.dtype, mean.dtype, variance.dtype) == (torch.bfloat16, torch.float32, torch.float32)
    torch.testing.assert_close(mean, x.float().mean((2, 3)))
    torch.testing.assert_close(variance, x.float().var((2, 3), correction=0))
    assert torch.autograd.grad(y.sum() + mean.sum(), x)[0].dtype == torch.bfloat16


@pytest.mark.parametrize('count', [1, 2, 3])
def test_sum_and_rectify(count):
    inputs = maps(count)
    factors = torch.randn(count, 2, 6, dtype=torch.float64, requires_grad=True)
    shift = torch.randn(2, 6, dtype=torch.float64, requires_grad=True)
    lines = torch.randn(4, 2, 6, dtype=torch.float64, requires_grad=True)
    total = sum(factor[:, :, None, None] * x for factor, x in zip(factors, inputs, strict=True)) + shift[:, :, None, None]
    slope1, intercept1, slope2, intercept2 = lines[:, :, :, None, None]
    expected = torch.maximum(total * slope1 + intercept1, total * slope2 + intercept2)
    actual = sum_and_rectify(inputs, factors, shift, lines)
    assert actual.is_contiguous(memory_format=torch.channels_last)
    assert_same_gradients((actual,), (expected,), [*inputs, factors, shift, lines])


def test_sum_of_bfloat16_maps_is_float32():
    inputs = maps(2, torch.bfloat16)
    factors, shift, lines = torch.rand(2, 2, 6), torch.zeros(2, 6), torch.ones(4, 2, 6)
    actual = sum_and_rectify(inputs, factors, shift, lines)
    expected = sum(factor[:, :, None, None] * x.float() for factor, x in zip(factors, inputs, strict=True)) + 1
    torch.testing.assert_close(actual, expected)
    assert torch.autograd.grad(actual.sum(), inputs[1])[0].dtype == torch.bfloat16
