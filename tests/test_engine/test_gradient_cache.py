"""The gradient cache in one process: exact gradients, generators, memory, precision, and the mistakes it names."""

import sys
from pathlib import Path

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from florence.engine.gradient_cache import GradientCache

sys.path.insert(0, str(Path(__file__).parent))
from gradient_cache_models import GradientRecorder, batch, build, gradients_of, largest_error  # noqa: E402

EXACT = 1e-10


def cached(model, data, chunk_size, wrapper=None):
    wrapper = wrapper or GradientRecorder(model)
    log = GradientCache(chunk_size).train_step(model, data, wrapper)
    return wrapper.gradients, log


def chunks_with_graph(model, data, bounds):
    """Reference: the chunks encoded in turn with their graphs kept, and one backward through everything."""
    data = model.data_preprocessor(data, training=True)
    parts = [
        model.encode(data['inputs'][start:stop], data['data_samples'][start:stop])
        for start, stop in zip(bounds, bounds[1:], strict=False)
    ]
    images, texts, scales = zip(*parts, strict=True)
    return model.loss_from((torch.cat(images), torch.cat(texts), scales[-1]), data['data_samples'])


@pytest.mark.parametrize('with_cp', [False, True])
def test_exact_with_dropout_and_drop_path(with_cp):
    model, data = build(random=True, with_cp=with_cp), batch(8)
    # A loss may draw numbers too; they must not be drawn again.
    model.loss_module.register_forward_hook(lambda module, args, output: output + 0 * torch.rand(()))
    torch.manual_seed(1)
    got, log = cached(model, data, 4)
    after = torch.get_rng_state()
    torch.manual_seed(1)
    losses = chunks_with_graph(model, data, [0, 4, 8])
    assert torch.equal(torch.get_rng_state(), after), 'the generator must stand as if the batch had been encoded once'
    assert largest_error(got, gradients_of(losses['loss_unicl'], model)) <= EXACT
    assert got['logit_scale'] != 0
    assert log['loss'].item() == pytest.approx(losses['loss_unicl'].item(), rel=1e-12)
    torch.manual_seed(2)
    other, _ = cached(model, data, 4)
    assert largest_error(other, got) > 1e-3, 'nothing was random'


@pytest.mark.parametrize('size, chunk_size', [(8, 2), (7, 3), (5, 8), (4, 1)])
def test_equals_the_plain_loss_of_the_whole_batch(size, chunk_size):
    model, data = build(), batch(size)
    got, log = cached(model, data, chunk_size)
    losses = model(**model.data_preprocessor(data, training=True), mode='loss')
    assert largest_error(got, gradients_of(losses['loss_unicl'], model)) <= EXACT
    assert set(log) == {'loss', 'loss_unicl', 'logit_scale'}
    assert not any(value.requires_grad for value in log.values())


def test_chunks_are_as_even_as_can_be():
    model, sizes = build(), []
    model.image_tower.register_forward_pre_hook(lambda module, args: sizes.append(len(args[0])))
    cached(model, batch(7), 3)
    assert sizes == [2, 2, 3, 2, 2, 3]


def test_a_step_is_the_step_of_plain_training():
    data = batch(6)
    weights = []
    for step in (lambda *args: GradientCache(4).train_step(*args), lambda model, *args: model.train_step(*args)):
        model = build()
        wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1), clip_grad=dict(max_norm=0.5))
        for _ in range(2):
            step(model, data, wrapper)
        assert all(parameter.grad is None for parameter in model.parameters())
        weights.append({name: value.detach().clone() for name, value in model.named_parameters()})
    start = dict(build().named_parameters())
    updates = [{name: value - start[name] for name, value in one.items()} for one in weights]
    assert largest_error(*updates) <= EXACT


def test_frozen_tower():
    model, data = build(), batch(6)
    model.text_tower.requires_grad_(False)
    wrapper = OptimWrapper(torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1))
    plain = build()
    plain.text_tower.requires_grad_(False)
    GradientCache(4).train_step(model, data, wrapper)
    plain.train_step(data, OptimWrapper(torch.optim.SGD([p for p in plain.parameters() if p.requires_grad], lr=0.1)))
    torch.testing.assert_close(dict(model.named_parameters()), dict(plain.named_parameters()), rtol=1e-12, atol=1e-12)


def test_only_the_temperature_is_trained():
    model, data = build().requires_grad_(False), batch(6)
    model.logit_scale.requires_grad_(True)
    before = model.logit_scale.item()
    expected = torch.autograd.grad(model.loss(**model.data_preprocessor(data, training=True))['loss_unicl'], model.logit_scale)
    GradientCache(4).train_step(model, data, OptimWrapper(torch.optim.SGD([model.logit_scale], lr=1.0)))
    assert before - model.logit_scale.item() == pytest.approx(expected[0].item(), rel=1e-9)


class SavedBytes:
    """Bytes that autograd keeps for backward passes, now and at their most."""

    def __init__(self):
        self.now = self.peak = 0

    def measure(self, action):
        with torch.autograd.graph.saved_tensors_hooks(lambda tensor: _Held(tensor, self), lambda held: held.tensor):
            action()
        return self.peak


class _Held:
    def __init__(self, tensor, account):
        self.tensor, self.account, self.size = tensor, account, tensor.numel() * tensor.element_size()
        account.now += self.size
        account.peak = max(account.peak, account.now)

    def __del__(self):
        self.account.now -= self.size


def test_memory_does_not_grow_with_the_batch():
    peaks = {}
    for size in (5, 20):
        model, data = build(), batch(size)
        wrapper = GradientRecorder(model)
        peaks['cached', size] = SavedBytes().measure(lambda: GradientCache(5).train_step(model, data, wrapper))  # noqa: B023
        peaks['plain', size] = SavedBytes().measure(lambda: model.train_step(data, wrapper))  # noqa: B023
    assert peaks['cached', 20] == peaks['cached', 5]
    assert peaks['plain', 20] > 3 * peaks['cached', 20]


class _Autocast(GradientRecorder):
    """bf16 as `AmpOptimWrapper` does it, which insists on a GPU."""

    def optim_context(self, model):
        return torch.autocast('cpu', dtype=torch.bfloat16)


def test_bf16_autocast():
    model, data = build(double=False), batch(8)
    exact, _ = cached(model, data, 4)
    got, _ = cached(model, data, 4, _Autocast(model))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = model(**model.data_preprocessor(data, training=True), mode='loss')['loss_unicl']
    plain = gradients_of(loss, model)

    def distance(one, other):
        one, other = (torch.cat([value.flatten() for value in gradients.values()]) for gradients in (one, other))
        return ((one - other).norm() / other.norm()).item()

    assert all(value.dtype == torch.float32 for value in got.values())
    assert 1e-4 < distance(got, exact) < 0.1
    assert distance(got, exact) < 1.5 * distance(plain, exact), 'no less exact than bf16 without the cache'


class _LossScale(GradientRecorder):
    def __init__(self, model):
        super().__init__(model)
        self.scaler = torch.amp.GradScaler('cpu', init_scale=2.0**13)
        self.losses = []

    def backward(self, loss, **kwargs):
        self.losses.append(loss.item())
        super().backward(self.scaler.scale(loss))

    def step(self, **kwargs):
        self.scaler.unscale_(self.optimizer)
        super().step()
        self.scaler.step(self.optimizer)
        self.scaler.update()


def test_loss_scale_of_fp16_is_applied_once():
    model, data = build(double=False), batch(8)
    expected, _ = cached(model, data, 4)
    wrapper = _LossScale(model)
    got, _ = cached(model, data, 4, wrapper)
    assert largest_error(got, expected) <= 1e-6
    assert wrapper.scaler.get_scale() == 2.0**13
    assert len(wrapper.losses) == 2


def test_mistakes_are_named():
    for chunk_size in (0, -4, 2.5):
        with pytest.raises(ValueError, match='chunk_size'):
            GradientCache(chunk_size)

    model, data = build(), batch(4)
    accumulating = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1), accumulative_counts=2)
    with pytest.raises(ValueError, match='accumulation over 2 batches'):
        GradientCache(2).train_step(model, data, accumulating)
    with pytest.raises(ValueError, match='Linear has no encode and no loss_from'):
        GradientCache(2).train_step(nn.Linear(2, 2), data, GradientRecorder(model))


def test_a_parameter_hidden_in_the_loss_is_found():
    model, data = build(), batch(4)
    model.loss_module.bias = nn.Parameter(torch.zeros(3))
    plain = model.loss_module.forward
    model.loss_module.forward = lambda *args: plain(*args) + model.loss_module.bias.sum()
    with pytest.raises(ValueError, match=r'parameter of shape \(3,\)'):
        GradientCache(2).train_step(model, data, GradientRecorder(model))
