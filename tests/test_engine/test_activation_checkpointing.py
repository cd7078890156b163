"""Recomputed activations: which modules, the same gradients and random draws, less memory."""

import copy

import pytest
import torch
from torch import nn

from florence.engine.activation_checkpointing import checkpoint_activations
from florence.layers import DropPath


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.attn = nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        self.drop_path = DropPath(0.5)
        self.runs = 0

    def forward(self, x, *, scale=1.0, shift=None):
        self.runs += 1
        x = x + self.drop_path(self.attn(x).tanh()) * scale
        x = x + self.drop_path(self.mlp(x))
        return x if shift is None else x + shift


class Tower(nn.Module):
    def __init__(self, dim=8, depth=3):
        super().__init__()
        self.blocks = nn.ModuleList(Block(dim) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)

    def forward(self, x):
        for number, block in enumerate(self.blocks):
            x = block(x, scale=1.0 + number, shift=torch.ones_like(x))
        return self.norm(x)


class Towers(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.image_tower, self.text_tower = Tower(**options), Tower(**options)

    def forward(self, x):
        return self.image_tower(x) * self.text_tower(x)


def pair(*patterns, **options):
    """The same model without and with recomputation."""
    plain = Towers(**options)
    saving = copy.deepcopy(plain)
    checkpoint_activations(saving, patterns)
    return plain, saving


def gradients(model, x, seed=5):
    torch.manual_seed(seed)
    model.zero_grad()
    loss = model(x).square().sum()
    loss.backward()
    return loss.item(), {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


ATTENTION = [f'{tower}.blocks.{number}.attn' for tower in ('image_tower', 'text_tower') for number in range(3)]


@pytest.mark.parametrize(
    ('patterns', 'expected'),
    [
        (['*.attn'], ATTENTION),
        (['image_tower.blocks.*.attn'], ATTENTION[:3]),
        (['image_tower.blocks.[01]'], ['image_tower.blocks.0', 'image_tower.blocks.1']),
        (['text_tower'], ['text_tower']),
        (['image_tower', 'text_tower'], ['image_tower', 'text_tower']),
        (['*.attn', 'text_tower'], [*ATTENTION[:3], 'text_tower']),
        (['text_tower', 'text_tower.blocks.*'], ['text_tower']),
        (['*'], ['image_tower', 'text_tower']),
    ],
)
def test_patterns_name_modules_and_the_outer_one_counts(patterns, expected):
    model = Towers()
    names = [name for name, _ in model.named_parameters()]
    assert checkpoint_activations(model, patterns) == expected
    wrapped = [name for name, module in model.named_modules() if hasattr(module.forward, '__wrapped__')]
    assert sorted(wrapped) == sorted(expected)
    assert [name for name, _ in model.named_parameters()] == names


@pytest.mark.parametrize('pattern', ['image_towr', '*.attention', 'blocks.*'])
def test_a_pattern_without_a_module(pattern):
    with pytest.raises(ValueError) as told:
        checkpoint_activations(Towers(), ['text_tower', pattern])
    assert f'{pattern!r} matches no module of Towers; its parts are image_tower, text_tower.' in str(told.value)


@pytest.mark.parametrize('pattern', ['*.attn', '*.mlp', '*.blocks.*', 'image_tower', '*'])
def test_gradients_and_dropped_paths_are_the_same(pattern):
    plain, saving = pair(pattern)
    x = torch.randn(6, 8)
    loss, expected = gradients(plain, x)
    found_loss, found = gradients(saving, x)
    assert found_loss == loss
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-6, atol=1e-6, msg=name)
    assert gradients(plain, x, seed=6)[0] != loss, 'paths were dropped at random'


def test_the_draws_afterwards_are_the_same():
    plain, saving = pair('*.blocks.*')
    x = torch.randn(6, 8)
    gradients(plain, x)
    expected = torch.rand(4)
    gradients(saving, x)
    assert torch.equal(torch.rand(4), expected)


def test_blocks_run_again_in_the_backward_pass_only():
    plain, saving = pair('image_tower.blocks.*')
    gradients(saving, torch.randn(2, 8))
    assert [block.runs for block in saving.image_tower.blocks] == [2] * 3
    assert [block.runs for block in saving.text_tower.blocks] == [1] * 3
    with torch.no_grad():
        saving.eval()(torch.randn(2, 8))
    assert [block.runs for block in saving.image_tower.blocks] == [3] * 3


def kept_bytes(model, x):
    """What autograd keeps for the backward pass, each storage once, without the weights."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = model(x)
    del result
    return sum(kept.values())


def test_less_is_kept():
    x = torch.randn(64, 32)
    plain, attention = pair('*.attn', dim=32)
    _, blocks = pair('*.blocks.*', dim=32)
    _, towers = pair('image_tower', 'text_tower', dim=32)
    sizes = [kept_bytes(model, x) for model in (plain, attention, blocks, towers)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[2] < 0.4 * sizes[0] and sizes[3] < 0.3 * sizes[0]


def test_a_frozen_tower_needs_no_gradient_of_its_input():
    plain, saving = pair('*.blocks.*')
    for model in (plain, saving):
        model.image_tower.requires_grad_(False)
    x = torch.randn(6, 8)

    def loss_and_grads(model):
        torch.manual_seed(1)
        model(x).square().sum().backward()
        return [parameter.grad for parameter in model.text_tower.parameters()]

    for found, expected in zip(loss_and_grads(saving), loss_and_grads(plain), strict=True):
        torch.testing.assert_close(found, expected)
    assert all(parameter.grad is None for parameter in saving.image_tower.parameters())
