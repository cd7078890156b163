"""What every image backbone must do, as checks that a backbone's test calls with its own `build(**kwargs)`.

`build` makes a small random model and passes `out_indices`, `frozen_stages`, `with_cp` and `drop_path_rate`
on.
"""

import copy
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn

Build = Callable[..., nn.Module]


def images(height: int = 64, width: int = 96, batch: int = 2) -> Tensor:
    return torch.randn(batch, 3, height, width)


def set_drop_path(model: nn.Module, rate: float) -> None:
    """A rate for every block, the first included."""
    found = [module for module in model.modules() if hasattr(module, 'drop_prob')]
    assert found, 'the backbone has no drop path'
    for module in found:
        module.drop_prob = rate


def check_shapes(build: Build, strides: Sequence[int] = (4, 8, 16, 32)) -> None:
    """Two sizes and an odd one: a map per stage, `ceil(size / stride)` long, of the announced channels."""
    model = build(out_indices=tuple(range(len(strides)))).eval()
    for height, width in ((64, 64), (96, 160), (61, 75)):
        with torch.no_grad():
            outputs = model(images(height, width))
        assert isinstance(outputs, tuple)
        assert [tuple(output.shape) for output in outputs] == [
            (2, channels, -(-height // stride), -(-width // stride))
            for channels, stride in zip(model.out_channels, strides, strict=True)
        ]
    last = build()
    assert last.embed_dims == last.out_channels[-1]
    assert [tuple(output.shape) for output in last(images(64, 64))] == [
        (2, last.embed_dims, 64 // strides[-1], 64 // strides[-1])
    ]


def check_outputs_see_every_pixel(build: Build) -> None:
    """Odd sizes drop no border: the last row and column reach the output."""
    model = build().eval()
    x = images(61, 75, batch=1).requires_grad_()
    (model(x)[-1] * torch.randn_like(model(x)[-1])).sum().backward()
    reached = x.grad.abs().sum(dim=1)[0] > 0
    assert reached.all(), f'{(~reached).sum()} pixels have no influence'


def check_gradients(build: Build) -> None:
    """A generic loss gives every parameter a finite gradient that is not zero."""
    for out_indices in ((0, 1, 2, 3), (1,)):
        model = build(out_indices=out_indices, drop_path_rate=0.0).train()
        _loss(model(images(128, 160))).backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, f'{name} has no gradient'
            assert torch.isfinite(parameter.grad).all(), f'{name} has a gradient that is not finite'
            assert parameter.grad.abs().max() > 0, f'{name} has a gradient of zero'


def check_state_dict(build: Build) -> None:
    """A strict round trip and a deep copy compute the same; a new model does not."""
    x = images()
    first, second = build().eval(), build().eval()
    with torch.no_grad():
        assert not torch.equal(first(x)[-1], second(x)[-1])
        second.load_state_dict(first.state_dict(), strict=True)
        assert torch.equal(first(x)[-1], second(x)[-1])
        assert torch.equal(first(x)[-1], copy.deepcopy(first)(x)[-1])


def check_determinism(build: Build) -> None:
    """Evaluation is repeatable and treats images apart; training with drop path is not repeatable."""
    x = images(batch=3)
    model = build(drop_path_rate=0.9).eval()
    with torch.no_grad():
        together = model(x)[-1]
        assert torch.equal(together, model(x)[-1])
        alone = torch.cat([model(image[None])[-1] for image in x])
        torch.testing.assert_close(alone, together, atol=1e-4, rtol=1e-4)
        model.train()
        set_drop_path(model, 0.5)
        assert not torch.equal(model(x)[-1], model(x)[-1])


def check_bfloat16(build: Build) -> None:
    """Casted weights, and autocast, stay within bf16 rounding of float32."""
    x = images()
    model = build().eval()
    with torch.no_grad():
        expected = model(x)[-1]
        with torch.autocast('cpu', dtype=torch.bfloat16):
            under_autocast = model(x)[-1]
        casted = copy.deepcopy(model).bfloat16()(x.bfloat16())[-1]
    assert casted.dtype == torch.bfloat16
    for output in (under_autocast, casted):
        error = (output.float() - expected).norm() / expected.norm()
        assert error < 0.05, f'relative error {error:.3f}'


def check_checkpointing(build: Build) -> None:
    """Recomputation changes neither outputs nor gradients, with drop path on."""
    x = images(batch=4)
    plain, recomputed = build(with_cp=False).train(), build(with_cp=True).train()
    recomputed.load_state_dict(plain.state_dict())
    results = []
    for model in (plain, recomputed):
        set_drop_path(model, 0.3)
        torch.manual_seed(1)
        outputs = model(x)
        _loss(outputs).backward()
        results.append((outputs[-1].detach(), dict(model.named_parameters())))
    (expected, reference), (output, parameters) = results
    torch.testing.assert_close(output, expected)
    for name, parameter in parameters.items():
        torch.testing.assert_close(parameter.grad, reference[name].grad, msg=lambda text, n=name: f'{n}: {text}')


def check_checkpointing_saves_memory(build: Build) -> None:
    """Fewer bytes are kept for the backward pass."""
    x = images()
    assert _saved_bytes(build(with_cp=True).train(), x) < 0.6 * _saved_bytes(build(with_cp=False).train(), x)


def check_frozen(build: Build, stem_and_first: Callable[[nn.Module], list[nn.Module]]) -> None:
    """Frozen stages get no gradient and stay in evaluation mode; the others learn.

    Args:
        build: See above.
        stem_and_first: The modules that `frozen_stages=1` freezes.
    """
    model = build(frozen_stages=1).train()
    frozen = {parameter for module in stem_and_first(model) for parameter in module.parameters()}
    assert frozen
    assert all(not part.training for module in stem_and_first(model) for part in module.modules())
    _loss(model(images(128, 160))).backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == (parameter in frozen), name
    assert any(module.training for module in model.modules())


def _loss(outputs: tuple[Tensor, ...]) -> Tensor:
    """A generic loss: the sum alone would have no gradient through a LayerNorm."""
    generator = torch.Generator().manual_seed(2)
    return sum((output * torch.randn(output.shape, generator=generator)).sum() for output in outputs)


def _saved_bytes(model: nn.Module, x: Tensor) -> int:
    storages = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        outputs = model(x)
    parameters = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    assert outputs
    return sum(size for pointer, size in storages.items() if pointer not in parameters)


each_check = pytest.mark.parametrize(
    'check',
    [
        check_shapes,
        check_outputs_see_every_pixel,
        check_gradients,
        check_state_dict,
        check_determinism,
        check_bfloat16,
        check_checkpointing,
        check_checkpointing_saves_memory,
    ],
    ids=lambda check: check.__name__,
)
