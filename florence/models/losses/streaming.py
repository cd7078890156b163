"""UniCL summed over anchors in memory O(N): tiles of the logits, their log-sum-exps, and each tile once more going backwards.

The forward pass keeps the log-sum-exps of rows and columns; the backward pass recomputes a tile from them and makes all
gradients from it: 4 products of N x N x D in all (1 forward, 3 backward; a dense form takes 3 with one matrix of logits, 6 with
one for each direction), and never more than one tile of logits. The same idea as Inf-CL (arXiv 2410.17243), which streams each
direction by itself (10 products) and knows one positive per row.

Across ranks only the text side is gathered. For N images on this rank and M texts of all ranks, a rank works on the N x M logits
of its images: their rows are complete, their columns are joined by an all-reduce of (max, sum).

    memory   M x D gathered texts and their gradient, vectors of N and M, one tile
    traffic  M x D texts forwards and as much back (reduce-scatter), 2 fp64 vectors of M; the dense form moves both sides
"""

from collections.abc import Iterator

import torch
import torch.distributed as dist
from torch import Tensor

from florence.models.losses.label_groups import LabelGroups, positive_similarity
from florence.models.losses.matmul import add_product_
from florence.models.losses.tiles import TileGroups, TileMath

# Width of the column slices in which the positive part is summed: bounds its temporaries at 4 x N x 64 numbers.
SLICE_WIDTH = 64
# Label groups are compared as fp32 numbers, whole up to here.
MAX_GROUPS = 2**24


def streaming_sum(
    image_embeds: Tensor, text_embeds: Tensor, groups: LabelGroups, scale: Tensor, tile_math: TileMath, world_size: int = 1
) -> Tensor:
    """Sum over the anchors of both directions; across ranks, a value whose mean over ranks is the sum over all anchors.

    The gradients are those of the sum of all ranks' values, so that a wrapper that averages over ranks gives the exact ones.

    Args:
        image_embeds: Embeddings of the images of this rank, `(N, D)`, contiguous.
        text_embeds: Embeddings of the texts of all ranks, `(M, D)`, contiguous, same type.
        groups: Label groups of these rows.
        scale: Multiplier of the cosine, 0-dim.
        tile_math: Work on one tile.
        world_size: Ranks that take part; each calls this at the same time.

    Returns:
        Scalar, fp32 (fp64 for fp64 input). It can be differentiated once; its backward refuses `create_graph=True`.

    Raises:
        ValueError: If there are more distinct labels than fp32 can tell apart.
    """
    if groups.num_texts.numel() > MAX_GROUPS:
        raise ValueError(
            f"streaming UniCL tells up to {MAX_GROUPS} distinct labels apart, got {groups.num_texts.numel()}: use impl='dense'."
        )
    return _StreamingSum.apply(image_embeds, text_embeds, scale, groups, tile_math, world_size)


class _StreamingSum(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx, u: Tensor, v: Tensor, scale: Tensor, groups: LabelGroups, tile_math: TileMath, world_size: int
    ) -> Tensor:
        size = tile_math.size_on(u.device)
        row_lse = u.new_full((len(u),), -torch.inf, dtype=torch.float64)
        column_lse = v.new_full((len(v),), -torch.inf, dtype=torch.float64)
        for rows, columns in _tiles(len(u), len(v), size):
            of_rows, of_columns = tile_math.log_sum_exps(u[rows], v[columns], scale)
            row_lse[rows] = torch.logaddexp(row_lse[rows], of_rows)
            column_lse[columns] = torch.logaddexp(column_lse[columns], of_columns)
        if world_size > 1:
            _all_reduce_log_sum_exp(column_lse)
        ctx.save_for_backward(u, v, scale, row_lse, column_lse, *groups)
        ctx.tile_math, ctx.world_size = tile_math, world_size
        positive = scale.double() * _sliced_positive_similarity(u, v, groups)
        total = world_size * (row_lse.sum() - 2 * positive) + column_lse.sum()
        return total.to(torch.promote_types(u.dtype, torch.float32))

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        # `once_differentiable` would drop the second derivative without a word, as this gradient does not depend on `grad` alone.
        if torch.is_grad_enabled():
            raise ValueError("streaming UniCL has a first derivative only (create_graph=True was asked for): use impl='dense'.")
        u, v, scale, row_lse, column_lse, *groups = ctx.saved_tensors
        needs_u, needs_v, needs_scale = ctx.needs_input_grad[:3]
        dtype = torch.promote_types(u.dtype, torch.float32)
        weights, unit = _weights(grad, ctx.world_size)
        image_group, text_group, share = _as_numbers(LabelGroups(*groups), dtype)
        grad_u = torch.empty_like(u) if needs_u else None
        grad_v = torch.zeros_like(v, dtype=dtype) if needs_v else None
        grad_scale = torch.zeros_like(scale, dtype=torch.float64)
        height, width = ctx.tile_math.size_on(u.device)
        for rows in _spans(len(u), height):
            band = torch.zeros_like(u[rows], dtype=dtype)  # gradient of these images, up to scale * unit
            for columns in _spans(len(v), width):
                tile_groups = TileGroups(image_group[rows], text_group[columns], share[rows])
                tile = ctx.tile_math.gradient(
                    u[rows], v[columns], scale, row_lse[rows], column_lse[columns], weights, tile_groups
                )
                if needs_u or needs_scale:
                    add_product_(band, tile, v[columns])
                if grad_v is not None:
                    add_product_(grad_v[columns], tile.t(), u[rows])
            grad_scale += (band * u[rows]).sum(dtype=torch.float64)
            if grad_u is not None:
                grad_u[rows] = band.mul_(scale * unit)
        if grad_v is not None:
            grad_v = grad_v.mul_(scale * unit).to(v.dtype)
        return grad_u, grad_v, (grad_scale * unit).to(scale.dtype) if needs_scale else None, None, None, None


def _spans(total: int, size: int) -> Iterator[slice]:
    for first in range(0, total, size):
        yield slice(first, min(first + size, total))


def _tiles(num_rows: int, num_columns: int, size: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    for rows in _spans(num_rows, size[0]):
        for columns in _spans(num_columns, size[1]):
            yield rows, columns


def _all_reduce_log_sum_exp(lse: Tensor) -> None:
    """Join the log-sum-exps of all ranks, in place; a rank without images brings -inf."""
    largest = lse.clone()
    dist.all_reduce(largest, op=dist.ReduceOp.MAX)
    lse.sub_(largest).exp_()
    dist.all_reduce(lse)
    lse.log_().add_(largest)


def _sliced_positive_similarity(u: Tensor, v: Tensor, groups: LabelGroups) -> Tensor:
    dtype = torch.promote_types(u.dtype, torch.float32)
    total = u.new_zeros((), dtype=torch.float64)
    for columns in _spans(u.size(1), SLICE_WIDTH):
        total += positive_similarity(u[:, columns].to(dtype), v[:, columns].to(dtype), groups)
    return total


def _weights(grad: Tensor, world_size: int) -> tuple[Tensor, Tensor]:
    """Weights of rows and columns, at most 1 so that a tile fits half precision, and their common factor."""
    column_weight = grad.detach().clone()
    if world_size > 1:
        dist.all_reduce(column_weight)
    weights = torch.stack([world_size * grad, column_weight])
    unit = weights.abs().max()
    return weights / unit.clamp_min(torch.finfo(unit.dtype).tiny), unit


def _as_numbers(groups: LabelGroups, dtype: torch.dtype) -> TileGroups:
    share = 1 / groups.num_texts.to(dtype)
    return TileGroups(groups.image_group.to(dtype), groups.text_group.to(dtype), share[groups.image_group])
