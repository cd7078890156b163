"""Streaming UniCL against the dense form, and what it is for: memory that grows with N, not with N x N."""

import weakref

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from florence.models.losses import unicl
from florence.models.losses.label_groups import group_labels
from florence.models.losses.streaming import streaming_sum
from florence.models.losses.tiles import TORCH_TILES
from florence.models.losses.unicl import UniCLLoss

SMALL_TILES = TORCH_TILES._replace(cpu_size=(48, 80))


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(unicl, 'TORCH_TILES', SMALL_TILES)


def pairs(num, scale=14.3, dtype=torch.float32, width=72):
    """Noisy pairs, so that positives stand out as in training."""
    image = F.normalize(torch.randn(num, width, dtype=dtype), dim=1)
    text = F.normalize(image + 0.3 * torch.randn(num, width, dtype=dtype), dim=1)
    return image, text, torch.tensor(scale, dtype=dtype)


def loss_and_gradients(loss, image, text, labels, scale):
    inputs = [tensor.clone().requires_grad_() for tensor in (image, text, scale)]
    value = loss(inputs[0], inputs[1], labels, inputs[2])
    return value.detach(), *torch.autograd.grad(value, inputs)


def relative_error(got, expected):
    return ((got.double() - expected.double()).norm() / expected.double().norm()).item()


LABELS = {
    'distinct': lambda num: torch.arange(num),
    'repeated': lambda num: torch.randint(0, max(1, num // 4), (num,)),
    'some unlabelled': lambda num: torch.randint(-1, 3, (num,)),
    'unlabelled': lambda num: torch.full((num,), -1),
    'equal': lambda num: torch.full((num,), 5),
}


@pytest.mark.parametrize('labels', LABELS.values(), ids=LABELS.keys())
@pytest.mark.parametrize('num', [20, 47, 48, 240, 301])
@pytest.mark.parametrize('reduction', ['mean', 'sum'])
def test_equals_dense_with_gradients(small_tiles, num, labels, reduction):
    image, text, scale = pairs(num)
    labels = labels(num)
    expected = loss_and_gradients(UniCLLoss(reduction, impl='dense'), image, text, labels, scale)
    got = loss_and_gradients(UniCLLoss(reduction, impl='streaming'), image, text, labels, scale)
    # A small loss is a difference of log-sum-exps of tens: it is compared with one nat per anchor.
    assert abs(got[0] - expected[0]) <= 1e-6 * max(expected[0], 2 * num if reduction == 'sum' else 1)
    for ours, dense in zip(got[1:], expected[1:], strict=True):
        assert ours.dtype == torch.float32
        assert relative_error(ours, dense) <= 1e-6


@pytest.mark.parametrize('scale', [1.0, 100.0])
def test_error_against_float64_is_that_of_fp32(small_tiles, scale):
    image, text, scale = pairs(301, scale)
    labels = torch.randint(-1, 100, (301,))
    exact = loss_and_gradients(UniCLLoss(impl='dense'), image.double(), text.double(), labels, scale.double())
    got = loss_and_gradients(UniCLLoss(impl='streaming'), image, text, labels, scale)
    # logits near 100 carry 4e-6 of rounding, whatever sums them
    assert all(relative_error(ours, want) <= 1e-6 * max(1, scale.item() / 25) for ours, want in zip(got, exact, strict=True))
    double = loss_and_gradients(UniCLLoss(impl='streaming'), image.double(), text.double(), labels, scale.double())
    assert all(relative_error(ours, want) <= 1e-13 for ours, want in zip(double, exact, strict=True))


def test_one_pair_has_no_loss_and_no_gradient():
    got = loss_and_gradients(UniCLLoss(impl='streaming'), *pairs(1)[:2], torch.tensor([3]), torch.tensor(20.0))
    assert all(tensor.abs().max() <= 20 * 5e-7 for tensor in got)


def test_gradient_by_finite_differences(monkeypatch):
    monkeypatch.setattr(unicl, 'TORCH_TILES', TORCH_TILES._replace(cpu_size=(2, 3)))
    image, text, scale = (tensor.requires_grad_() for tensor in pairs(5, 6.0, torch.float64, 4))
    labels = torch.tensor([1, 1, -1, 2, 1])
    loss = UniCLLoss(impl='streaming')
    assert torch.autograd.gradcheck(lambda *args: 3 * loss(args[0], args[1], labels, args[2]), (image, text, scale))


@pytest.mark.parametrize('needed', [(True, False, False), (False, True, False), (False, False, True), (False, True, True)])
def test_only_the_gradients_that_are_needed(small_tiles, needed):
    image, text, scale = pairs(100)
    labels = torch.arange(100) // 2
    expected = loss_and_gradients(UniCLLoss(impl='dense'), image, text, labels, scale)[1:]
    inputs = [tensor.clone().requires_grad_(flag) for tensor, flag in zip((image, text, scale), needed, strict=True)]
    UniCLLoss(impl='streaming')(inputs[0], inputs[1], labels, inputs[2]).backward()
    for tensor, want, flag in zip(inputs, expected, needed, strict=True):
        assert (tensor.grad is not None) == flag
        assert not flag or relative_error(tensor.grad, want) <= 1e-6


@pytest.mark.parametrize('factor', [0.0, -2.0])
def test_follows_the_sign_and_size_of_the_incoming_gradient(factor):
    image, text, scale = pairs(60)
    labels = torch.arange(60)
    once = loss_and_gradients(UniCLLoss(impl='streaming'), image, text, labels, scale)
    times = loss_and_gradients(lambda *args: factor * UniCLLoss(impl='streaming')(*args), image, text, labels, scale)
    for got, want in zip(times[1:], once[1:], strict=True):
        torch.testing.assert_close(got, factor * want)


def test_cannot_be_differentiated_twice():
    image, text, scale = (tensor.requires_grad_() for tensor in pairs(4))
    with pytest.raises(ValueError, match="impl='dense'"):
        torch.autograd.grad(UniCLLoss(impl='streaming')(image, text, torch.arange(4), scale), image, create_graph=True)


def test_half_precision_input():
    image, text, scale = pairs(90)
    labels = torch.randint(0, 30, (90,))
    half = image.bfloat16(), text.bfloat16()
    expected = loss_and_gradients(UniCLLoss(impl='dense'), half[0].double(), half[1].double(), labels, scale.double())
    got = loss_and_gradients(UniCLLoss(impl='streaming'), *half, labels, scale)
    assert [tensor.dtype for tensor in got] == [torch.float32, torch.bfloat16, torch.bfloat16, torch.float32]
    for ours, want, tolerance in zip(got, expected, (1e-6, 4e-3, 4e-3, 1e-6), strict=True):
        assert relative_error(ours, want) <= tolerance


def test_half_precision_tiles():
    """What GPUs do, on CPU: the gradient of the logits rounded to bf16, sums in fp32."""
    image, text, scale = pairs(90)
    half, groups = (image.bfloat16(), text.bfloat16()), group_labels(torch.randint(0, 30, (90,)))
    exact = loss_and_gradients(
        lambda u, v, _, s: streaming_sum(u, v, groups, s, SMALL_TILES), half[0].double(), half[1].double(), None, scale.double()
    )
    got = loss_and_gradients(lambda u, v, _, s: streaming_sum(u, v, groups, s, SMALL_TILES), *half, None, scale)
    for ours, want, tolerance in zip(got, exact, (1e-6, 5e-3, 5e-3, 5e-3), strict=True):
        assert relative_error(ours, want) <= tolerance


@pytest.mark.parametrize('impl', ['dense', 'streaming'])
@pytest.mark.parametrize('deterministic', [False, True])
def test_same_bits_in_every_run(small_tiles, impl, deterministic):
    image, text, scale = pairs(300, width=130)
    labels = torch.randint(0, 40, (300,))
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(deterministic)
    try:
        runs = [loss_and_gradients(UniCLLoss(impl=impl), image, text, labels, scale) for _ in range(3)]
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(threads)
    for run in runs[1:]:
        assert all(torch.equal(got, first) for got, first in zip(run, runs[0], strict=True))


class PeakBytes(TorchDispatchMode):
    """Peak of the bytes of all storages that operators allocate under it."""

    def __init__(self):
        super().__init__()
        self.live, self.peak = {}, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        inputs = {tensor.untyped_storage()._cdata for tensor in args if isinstance(tensor, torch.Tensor)}
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else (result,):
            storage = tensor.untyped_storage() if isinstance(tensor, torch.Tensor) else None
            if storage is not None and storage._cdata not in inputs | self.live.keys():
                self.live[storage._cdata] = storage.nbytes()
                weakref.finalize(storage, self.live.pop, storage._cdata)
        self.peak = max(self.peak, sum(self.live.values()))
        return result


def peak_bytes(impl, num, width):
    image, text, scale = (tensor.requires_grad_() for tensor in pairs(num, width=width))
    with PeakBytes() as memory:
        UniCLLoss(impl=impl)(image, text, torch.arange(num), scale).backward()
    return memory.peak


def test_memory_grows_with_the_number_of_pairs_only(small_tiles):
    width = 16
    dense = {num: peak_bytes('dense', num, width) for num in (512, 1024)}
    assert dense[1024] >= 2 * 4 * 1024**2  # the measure sees the logits and their gradient
    assert dense[1024] > 3.5 * dense[512]
    streaming = {num: peak_bytes('streaming', num, width) for num in (512, 1024, 2048)}
    assert streaming[2048] - streaming[1024] <= 2.1 * (streaming[1024] - streaming[512])
    assert streaming[2048] <= 4 * 2048 * (8 * width + 60) + 8 * 4 * 48 * 80
