"""Normalisation, scale-aware attention, sum and task-aware attention of a Dynamic Head level in two passes over its maps.

Axes: J branches, B batch, C channels, P = H * W positions.

Between a branch's convolution and the level's output lie only functions that are affine per image and channel, and one maximum of
two lines. So all gates follow from means and variances of the raw maps, and one pass writes
`max(t * slope1 + intercept1, t * slope2 + intercept2)` of `t = sum_j maps_j * factor_j + shift`. Operation by operation the maps
would be read and written some ten times, in new memory each time. The backward keeps the raw maps alone.

Sums and statistics are float32 at least, whatever the type of the maps.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Elements of a map that are worked on at a time on CPU: what stays in a core's share of the cache.
CPU_ELEMENTS = 2**18


def moments(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`(B, C, H, W)` as it is, and its means and biased variances over the positions, `(B, C)`.

    The gradient of the statistics is written into the one that the map receives: use the map that is returned, and use it once.
    """
    return _Moments.apply(x)


def sum_and_rectify(maps: list[Tensor], factors: Tensor, shift: Tensor, lines: Tensor) -> Tensor:
    """Larger one of two lines of the weighted sum of J maps.

    Args:
        maps: J times `(B, C, H, W)`.
        factors: `(J, B, C)`.
        shift: `(B, C)`.
        lines: Slope, intercept, slope, intercept, `(4, B, C)`.

    Returns:
        `(B, C, H, W)`, channels-last, in the type of `factors`.
    """
    return _SumAndRectify.apply(factors, shift, lines, *maps)


class _Moments(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        rows = _rows(x)
        dtype = torch.promote_types(x.dtype, torch.float32)
        mean = rows.mean(1, dtype=dtype)
        variance = torch.zeros_like(mean)
        for part in _parts(rows):
            variance += (rows[:, part] - mean[:, None]).square_().sum(1)
        variance /= rows.shape[1]
        ctx.save_for_backward(x, mean)
        # Unlike `view_as` this keeps the strides of a batch of one, by which other kernels know the layout.
        return x.detach(), mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor, grad_mean: Tensor, grad_variance: Tensor) -> Tensor:  # type: ignore[override]
        x, mean = ctx.saved_tensors
        # A gradient that is expanded from fewer numbers cannot be written to.
        rows, grad_rows = _rows(x), _rows(grad.contiguous(memory_format=torch.channels_last))
        slope = grad_variance * (2 / rows.shape[1])
        intercept = grad_mean / rows.shape[1] - slope * mean
        slope, intercept = slope[:, None], intercept[:, None]
        for part in _parts(rows):
            grad_rows[:, part] += torch.addcmul(intercept, rows[:, part].to(mean.dtype), slope)
        return _as_map(grad_rows, x)


class _SumAndRectify(torch.autograd.Function):
    @staticmethod
    def forward(ctx, factors: Tensor, shift: Tensor, lines: Tensor, *maps: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(factors, shift, lines, *maps)
        all_rows = [_rows(x) for x in maps]
        slope1, intercept1, slope2, intercept2 = lines[:, :, None]
        output = torch.empty_like(all_rows[0], dtype=factors.dtype, memory_format=torch.contiguous_format)
        for part in _parts(output):
            total = _sum([rows[:, part] for rows in all_rows], factors, shift)
            other = torch.addcmul(intercept2, total, slope2)
            torch.maximum(total.mul_(slope1).add_(intercept1), other, out=output[:, part])
        return _as_map(output, maps[0])

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        factors, shift, lines, *maps = ctx.saved_tensors
        all_rows, grad_rows = [_rows(x) for x in maps], _rows(grad)
        slope1, intercept1, slope2, intercept2 = lines[:, :, None]
        grad_maps = [torch.empty_like(rows, memory_format=torch.contiguous_format) for rows in all_rows]
        grad_factors, grad_shift, grad_lines = (torch.zeros_like(tensor) for tensor in (factors, shift, lines))
        for part in _parts(grad_rows):
            summands = [rows[:, part] for rows in all_rows]
            total = _sum(summands, factors, shift)
            above = torch.addcmul(intercept1 - intercept2, total, slope1 - slope2) >= 0
            grad1 = grad_rows[:, part] * above
            grad2 = grad_rows[:, part] - grad1
            for line, grad_line in ((0, grad1), (2, grad2)):
                grad_lines[line] += (grad_line * total).sum(1)
                grad_lines[line + 1] += grad_line.sum(1)
            grad_total = grad1.mul_(slope1).addcmul_(grad2, slope2)
            grad_shift += grad_total.sum(1)
            for index, x in enumerate(summands):
                grad_factors[index] += (grad_total * x).sum(1)
                torch.mul(grad_total, factors[index, :, None], out=grad_maps[index][:, part])
        return grad_factors, grad_shift, grad_lines, *(_as_map(rows, maps[0]) for rows in grad_maps)


def _sum(summands: list[Tensor], factors: Tensor, shift: Tensor) -> Tensor:
    total = torch.addcmul(shift[:, None], summands[0].to(factors.dtype), factors[0, :, None])
    for x, factor in zip(summands[1:], factors[1:], strict=True):
        total.addcmul_(x.to(factors.dtype), factor[:, None])
    return total


def _rows(x: Tensor) -> Tensor:
    """`(B, C, H, W)` to `(B, P, C)`, a view where `x` is channels-last."""
    return x.permute(0, 2, 3, 1).reshape(len(x), -1, x.shape[1])


def _as_map(rows: Tensor, like: Tensor) -> Tensor:
    """`(B, P, C)` to `(B, C, H, W)`."""
    return rows.unflatten(1, like.shape[2:]).permute(0, 3, 1, 2)


def _parts(rows: Tensor) -> Iterator[slice]:
    batch, positions, channels = rows.shape
    step = max(1, CPU_ELEMENTS // (batch * channels)) if rows.device.type == 'cpu' else max(1, positions)
    return (slice(start, start + step) for start in range(0, positions, step))
