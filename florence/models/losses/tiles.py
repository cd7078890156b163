"""The work on one tile of the logits `S = logit_scale * U V^T`, in plain torch: what of streaming UniCL sees R x C values.

A `TileMath` is what the streaming loop needs to know about a tile: the log-sum-exps of its rows and columns, and the gradient of
the loss with respect to its logits. `TORCH_TILES` serves every device and precision; `triton_tiles` holds CUDA kernels of it.

A tile needs one exponential per value instead of two: with one shift m for the whole tile, `exp(S - m)` serves rows and columns,
`exp(S - lse_row) = exp(S - m) exp(m - lse_row)`. Where the spread of a tile is too wide for that in fp32 (checked, rare: its best
cosines of two rows would have to differ by 0.6 at a logit scale of 100), rows and columns get their own exponentials.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from florence.models.losses.matmul import product

# With sums of exponentials above this, what fp32 flushed to zero (terms below 1e-38) is less than a rounding error.
SMALLEST_SUM = 1e-27
# exp(+-60) times exp(-+60) stays inside fp32 with 27 powers of e to spare.
LARGEST_EXPONENT = 60.0


class TileGroups(NamedTuple):
    """Label groups of a tile as floating point numbers: a comparison that writes floats is one vectorised pass on CPU."""

    image_group: Tensor  # (R,)
    text_group: Tensor  # (C,)
    positive_share: Tensor  # (R,), 1 / |P(i)|


class TileMath(NamedTuple):
    """How to work on a tile of R images and C texts of width D, all tensors contiguous.

    Attributes:
        log_sum_exps: `(u (R, D), v (C, D), scale)` to the log-sum-exps of rows `(R,)` and columns `(C,)`, fp64.
        gradient: `(u, v, scale, row_lse (R,), column_lse (C,), weights (2,), groups)` to the gradient `(R, C)` of
            `weights[0] * (sum of row_lse - 2 * positive part) + weights[1] * sum of column_lse` with respect to the logits, in a
            type that multiplies with u and v.
        cpu_size, gpu_size: Rows and columns of a tile.
    """

    log_sum_exps: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
    gradient: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, TileGroups], Tensor]
    cpu_size: tuple[int, int]
    gpu_size: tuple[int, int]

    def size_on(self, device: torch.device) -> tuple[int, int]:
        return self.cpu_size if device.type == 'cpu' else self.gpu_size


def _logits(u: Tensor, v: Tensor, scale: Tensor) -> Tensor:
    """`(R, C)`, fp32 for half precision."""
    if u.dtype in (torch.float32, torch.float64):
        return product(u * scale.to(u.dtype), v.t())
    return product(u, v.t()).mul_(scale)  # scaled embeddings would be rounded again


def _log_sum_exps(u: Tensor, v: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    logits = _logits(u, v, scale)
    shift = logits.max()
    exps = (logits - shift).exp_()
    row_sum, column_sum = exps.sum(1), exps.sum(0)
    if bool(torch.minimum(row_sum.min(), column_sum.min()) >= SMALLEST_SUM):
        return row_sum.double().log_().add_(shift), column_sum.double().log_().add_(shift)
    return _log_sum_exp(logits, 1, exps), _log_sum_exp(logits, 0, exps)


def _log_sum_exp(logits: Tensor, dim: int, buffer: Tensor) -> Tensor:
    """`logits.logsumexp(dim)` in fp64; the library's takes seven times as long on CPU."""
    largest = logits.amax(dim, keepdim=True)
    sums = torch.sub(logits, largest, out=buffer).exp_().sum(dim)
    return sums.double().log_().add_(largest.squeeze(dim))


def _gradient(
    u: Tensor, v: Tensor, scale: Tensor, row_lse: Tensor, column_lse: Tensor, weights: Tensor, groups: TileGroups
) -> Tensor:
    logits = _logits(u, v, scale)
    dtype = logits.dtype
    # No logit exceeds the log-sum-exp of its row or of its column. A whole number is exact in every precision.
    highest = torch.minimum(row_lse.max(), column_lse.max())
    lowest = torch.minimum(row_lse.min(), column_lse.min())
    shift = ((highest + lowest) / 2).round()
    if bool(highest - lowest < 2 * LARGEST_EXPONENT - 1):
        of_row = (weights[0] * (shift - row_lse).exp()).to(dtype)
        of_column = (weights[1] * (shift - column_lse).exp()).to(dtype)
        buffer = of_row.unsqueeze(1) + of_column
        gradient = logits.sub_(shift.to(dtype)).exp_().mul_(buffer)
    else:
        buffer = (logits - row_lse.to(dtype).unsqueeze(1)).exp_().mul_(weights[0])
        gradient = logits.sub_(column_lse.to(dtype)).exp_().mul_(weights[1]).add_(buffer)
    # Inside the tile, in fp32: the gradient of a pair that is learnt is a small difference of numbers near two.
    same_label = torch.eq(groups.image_group.unsqueeze(1), groups.text_group, out=buffer)
    share = (-2 * weights[0] * groups.positive_share).to(dtype)
    return gradient.addcmul_(same_label, share.unsqueeze(1)).to(u.dtype)


TORCH_TILES = TileMath(_log_sum_exps, _gradient, cpu_size=(512, 1024), gpu_size=(2048, 4096))
