"""The optimizer wrapper for mixed precision: types, loss scale, clipping, state, mistakes."""

import pytest
import torch
from torch import nn

from florence.engine.optimizers import AmpOptimWrapper
from florence.engine.optimizers.mixed_precision import half_precision


def setup(*, dtype='bfloat16', lr=0.1, **options):
    torch.manual_seed(0)
    model = nn.Linear(4, 2)
    return model, AmpOptimWrapper(dtype=dtype, optimizer=torch.optim.SGD(model.parameters(), lr=lr), **options)


def step(model, wrapper, x=None, factor=1.0):
    x = torch.ones(3, 4) if x is None else x
    with wrapper.optim_context(model):
        out = model(x)
    wrapper.update_params((out.float() * factor).sum())
    return out


@pytest.mark.parametrize(('dtype', 'expected'), [('bfloat16', torch.bfloat16), ('float16', torch.float16)])
def test_the_forward_pass_is_in_half_precision_and_the_weights_are_not(dtype, expected):
    model, wrapper = setup(dtype=dtype, loss_scale=128.0)
    before = model.weight.detach().clone()
    assert step(model, wrapper).dtype == expected
    assert model.weight.dtype == torch.float32
    # The gradient of each weight is the sum of three ones; the loss scale is taken out again.
    torch.testing.assert_close(model.weight, before - 0.1 * 3, rtol=1e-6, atol=1e-6)
    assert model(torch.ones(3, 4)).dtype == torch.float32, 'autocast ends with the context'


def test_bf16_has_no_loss_scale():
    _, wrapper = setup(loss_scale=128.0)
    assert not wrapper.scaler.is_enabled() and wrapper.scaler.get_scale() == 1.0


@pytest.mark.parametrize(
    ('loss_scale', 'first', 'after_two'),
    [('dynamic', 2.0**16, 2.0**16), (128.0, 128, 128), (64, 64, 64), ({'init_scale': 8.0, 'growth_interval': 2}, 8, 16)],
)
def test_loss_scale_of_fp16(loss_scale, first, after_two):
    model, wrapper = setup(dtype='float16', loss_scale=loss_scale)
    assert wrapper.scaler.get_scale() == first
    for _ in range(2):
        step(model, wrapper, factor=1e-3)
    assert wrapper.scaler.get_scale() == after_two


@pytest.mark.parametrize('clipped', [False, True])
def test_an_overflow_leaves_the_step_out_and_halves_the_scale(clipped):
    model, wrapper = setup(dtype='float16', loss_scale=1024.0, clip_grad={'max_norm': 1.0} if clipped else None)
    before = model.weight.detach().clone()
    step(model, wrapper, x=torch.full((3, 4), 6e4))
    assert torch.equal(model.weight, before) and wrapper.scaler.get_scale() == 512
    step(model, wrapper)
    assert not torch.equal(model.weight, before) and wrapper.scaler.get_scale() == 512


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_gradients_are_clipped_without_the_scale(dtype):
    model, wrapper = setup(dtype=dtype, lr=1.0, loss_scale=128.0, clip_grad={'max_norm': 0.5})
    before = [parameter.detach().clone() for parameter in model.parameters()]
    step(model, wrapper)
    moved = torch.cat([(old - new).flatten() for old, new in zip(before, model.parameters(), strict=True)])
    assert moved.norm().item() == pytest.approx(0.5, rel=1e-4)


def test_accumulation_updates_every_second_time():
    model, wrapper = setup(dtype='float16', loss_scale=128.0, accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 4)
    before = model.weight.detach().clone()
    step(model, wrapper)
    assert torch.equal(model.weight, before)
    step(model, wrapper)
    torch.testing.assert_close(model.weight, before - 0.1 * 3, rtol=1e-4, atol=1e-5)


def test_the_state_survives():
    options = {'dtype': 'float16', 'loss_scale': {'init_scale': 8.0, 'growth_interval': 3}}
    model, wrapper = setup(**options)
    for _ in range(4):
        step(model, wrapper, factor=1e-3)
    _, other = setup(**options)
    other.load_state_dict(wrapper.state_dict())
    assert other.scaler.state_dict() == wrapper.scaler.state_dict()
    assert other.scaler.get_scale() == 16 and other.scaler.state_dict()['_growth_tracker'] == 1


def test_states_with_and_without_mixed_precision_fit_each_other():
    model, wrapper = setup(dtype='float16', loss_scale=32.0)
    step(model, wrapper)
    plain = torch.optim.SGD(model.parameters(), lr=0.7).state_dict()
    wrapper.load_state_dict(plain)
    assert wrapper.scaler.get_scale() == 32 and wrapper.get_lr()['lr'] == [0.7]
    _, bf16 = setup()
    bf16.load_state_dict(wrapper.state_dict())
    assert not bf16.scaler.is_enabled() and bf16.get_lr()['lr'] == [0.7]


@pytest.mark.parametrize('dtype', ['float32', 'fp16', 'half', ''])
def test_an_unknown_type_is_named(dtype):
    with pytest.raises(ValueError, match=rf"one of \['bfloat16', 'float16'\], got dtype='{dtype}'"):
        setup(dtype=dtype)
    with pytest.raises(ValueError, match='one of'):
        half_precision(dtype)
