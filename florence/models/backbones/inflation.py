"""Weights of an image tower for a video tower (Florence, arXiv 2111.11432, section 2.6), and windows of another
size.

Kernels are copied along time and divided, bias tables copied for each offset in time. Registered as a state-dict pre-hook: it
runs for `load_state_dict` and for mmengine's checkpoint loader alike.
"""

from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from florence.layers.window_attention import resize_bias_table
from florence.layers.window_attention_3d import Size, WindowAttention3d
from florence.models.backbones.window_checkpoint import BUFFERS, TABLE

INFLATIONS = ('average', 'center')


def inflate_checkpoint(module: nn.Module, state_dict: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Give the weights in `state_dict` a time axis, and the windows of `module`, in place.

    Args:
        module: Video tower that is being loaded; has `inflation`.
        state_dict: Weights about to be loaded, of an image tower or of a video tower.
        prefix: Where the tower lies in `state_dict`.

    Raises:
        ValueError: If a bias table is of no window that can be told from its length.
    """
    for key in [key for key in state_dict if key.startswith(prefix) and key.endswith(BUFFERS)]:
        del state_dict[key]
    layers = dict(module.named_modules())
    kernels = [state_dict.get(f'{prefix}{name}.weight') for name, layer in layers.items() if isinstance(layer, nn.Conv3d)]
    is_image = any(kernel is not None and kernel.ndim == 4 for kernel in kernels)
    num_kernels = num_tables = 0
    for name, layer in layers.items():
        key = f'{prefix}{name}.weight'
        if isinstance(layer, nn.Conv3d) and key in state_dict and state_dict[key].ndim == 4:
            state_dict[key] = inflate_kernel(state_dict[key], layer.kernel_size[0], module.inflation)  # type: ignore[arg-type]
            num_kernels += 1
        key = f'{prefix}{name}.{TABLE}'
        if isinstance(layer, WindowAttention3d) and key in state_dict:
            table = state_dict[key]
            fitted = inflate_table(table, layer.window_size) if is_image else resize_table(table, layer.window_size, key)
            num_tables += fitted is not table
            state_dict[key] = fitted
    if num_kernels or num_tables:
        print_log(
            f'{num_kernels} kernels inflated ({module.inflation}), {num_tables} relative position bias tables fitted to the '
            f'windows of the clip',
            logger='current',
        )


def inflate_kernel(kernel: Tensor, steps: int, inflation: str = 'average') -> Tensor:
    """`(out, in, k, k)` to `(out, in, steps, k, k)`, whose sum over time is the kernel given.

    Args:
        kernel: Of an image tower.
        steps: Length in time.
        inflation: One of `INFLATIONS`.
    """
    if inflation == 'average':
        return kernel.unsqueeze(2).repeat(1, 1, steps, 1, 1) / steps
    inflated = kernel.new_zeros(*kernel.shape[:2], steps, *kernel.shape[2:])
    inflated[:, :, steps // 2] = kernel
    return inflated


def inflate_table(table: Tensor, window: Size) -> Tensor:
    """The bias table of an image's window for a clip's, each offset in time with the same bias.

    Args:
        table: `((2 w - 1) ** 2, h)`.
        window: Steps, rows and columns; smaller sides take the centre of the table, which is exact, larger ones a bicubic resize.

    Returns:
        `((2 steps - 1) (2 rows - 1) (2 columns - 1), h)`.

    Raises:
        ValueError: If the table's length is no square of an odd number.
    """
    return _fit_space(table, window[1:]).repeat(2 * window[0] - 1, 1)


def resize_table(table: Tensor, window: Size, name: str) -> Tensor:
    """The bias table of a clip's window for another one: its sides or its steps may differ.

    Args:
        table: `((2 steps - 1) (2 w - 1) ** 2, h)`.
        window: Steps, rows and columns wanted.
        name: Of the table, for the message.

    Raises:
        ValueError: If neither the sides nor the steps are those of `window`, or its length fits both.
    """
    num_steps, area = 2 * window[0] - 1, (2 * window[1] - 1) * (2 * window[2] - 1)
    if len(table) == num_steps * area:
        return table
    side = round((len(table) / num_steps) ** 0.5)
    has_sides = len(table) % area == 0 and (len(table) // area) % 2 == 1
    has_steps = side * side * num_steps == len(table) and side % 2 == 1
    if has_sides and not has_steps:
        return _fit_time(table.view(-1, area, table.shape[1]), num_steps).flatten(0, 1)
    if has_steps and not has_sides:
        return torch.cat([_fit_space(step, window[1:]) for step in table.view(num_steps, side * side, -1)])
    found = 'another length or other sides, its rows do not tell which' if has_steps else 'another length and other sides'
    raise ValueError(
        f'{name} has {len(table)} rows, expected {num_steps * area} for a window of {window}: its windows have {found}; change '
        f'one of them alone, or load it into the window that it was trained with.'
    )


def _fit_time(steps: Tensor, num_steps: int) -> Tensor:
    """The middle of the offsets in time, or copies of the farthest ones beyond: `(S, area, h)` to `(num_steps, area, h)`."""
    reach, own = num_steps // 2, len(steps) // 2
    return steps[torch.arange(-reach, reach + 1).clamp(-own, own) + own]


def _fit_space(table: Tensor, sides: tuple[int, int]) -> Tensor:
    """A table of a square window for one of `sides`: `((2 w - 1) ** 2, h)` to `((2 rows - 1) (2 columns - 1), h)`."""
    side = round(len(table) ** 0.5)
    wanted = max(sides)
    if 2 * wanted - 1 > side or side * side != len(table):
        table = resize_bias_table(table, wanted)
        side = 2 * wanted - 1
    grid = table.view(side, side, -1)
    rows, cols = (((side - (2 * want - 1)) // 2, 2 * want - 1) for want in sides)
    return grid[rows[0] : rows[0] + rows[1], cols[0] : cols[0] + cols[1]].flatten(0, 1)
