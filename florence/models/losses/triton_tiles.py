"""Triton kernels for the tiles of streaming UniCL: the product and what follows it in one pass, no logits in memory.

Both kernels multiply blocks of embeddings over D in fp32 accumulators. `_log_sum_exp_kernel` writes one log-sum-exp per row and
block of columns (and the reverse), which torch then joins: no atomics, so the same bits in every run. `_gradient_kernel` writes
the gradient of the logits in the type of the embeddings; the two products with it are cuBLAS's.

fp32 embeddings are multiplied as three TF32 products, which keeps fp32 accuracy on tensor cores.
Imported only where it is asked for: it needs the triton package, and a CUDA device or `TRITON_INTERPRET=1`.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from florence.models.losses.tiles import TileGroups, TileMath

# Rows, columns and slice of D of one program, by bytes per number: the largest that spill no register on compute capability 8.0.
BLOCKS = {
    2: {'ROWS': 128, 'COLUMNS': 128, 'WIDTH_BLOCK': 64, 'num_warps': 8, 'num_stages': 3},
    4: {'ROWS': 64, 'COLUMNS': 128, 'WIDTH_BLOCK': 32, 'num_warps': 8, 'num_stages': 3},
}


@triton.jit
def _logits(
    u, v, scale, rows, columns, num_rows, num_columns, width, WIDTH_BLOCK: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr
):
    """Block `(ROWS, COLUMNS)` of `scale * u v^T`, fp32; zero outside."""
    sums = tl.zeros((ROWS, COLUMNS), dtype=tl.float32)
    for first in range(0, width, WIDTH_BLOCK):
        inner = first + tl.arange(0, WIDTH_BLOCK)
        u_at = u + rows[:, None].to(tl.int64) * width + inner[None, :]
        v_at = v + columns[None, :].to(tl.int64) * width + inner[:, None]
        u_block = tl.load(u_at, mask=(rows[:, None] < num_rows) & (inner[None, :] < width), other=0.0)
        v_block = tl.load(v_at, mask=(columns[None, :] < num_columns) & (inner[:, None] < width), other=0.0)
        sums = tl.dot(u_block, v_block, sums, input_precision='tf32x3')
    return sums * tl.load(scale)


@triton.jit
def _log_sum_exp_kernel(
    u, v, scale, of_rows, of_columns, num_rows, num_columns, width,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, WIDTH_BLOCK: tl.constexpr,
):  # fmt: skip
    """`of_rows (column blocks, R)` and `of_columns (row blocks, C)`: log-sum-exps over one block each."""
    row_block, column_block = tl.program_id(0), tl.program_id(1)
    rows = row_block * ROWS + tl.arange(0, ROWS)
    columns = column_block * COLUMNS + tl.arange(0, COLUMNS)
    logits = _logits(u, v, scale, rows, columns, num_rows, num_columns, width, WIDTH_BLOCK, ROWS, COLUMNS)
    inside = (rows[:, None] < num_rows) & (columns[None, :] < num_columns)
    logits = tl.where(inside, logits, -1e38)  # finite: -inf minus -inf would be NaN

    largest = tl.max(logits, axis=1)
    sums = tl.sum(tl.exp(logits - largest[:, None]), axis=1)
    tl.store(of_rows + column_block * num_rows + rows, largest + tl.log(sums), mask=rows < num_rows)

    largest = tl.max(logits, axis=0)
    sums = tl.sum(tl.exp(logits - largest[None, :]), axis=0)
    tl.store(of_columns + row_block * num_columns + columns, largest + tl.log(sums), mask=columns < num_columns)


@triton.jit
def _gradient_kernel(
    u, v, scale, row_lse, column_lse, weights, image_group, text_group, positive_share, gradient, num_rows, num_columns, width,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, WIDTH_BLOCK: tl.constexpr,
):  # fmt: skip
    """`gradient (R, C)` of the loss with respect to the logits."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    logits = _logits(u, v, scale, rows, columns, num_rows, num_columns, width, WIDTH_BLOCK, ROWS, COLUMNS)
    of_row = tl.load(row_lse + rows, mask=rows < num_rows, other=0.0)
    of_column = tl.load(column_lse + columns, mask=columns < num_columns, other=0.0)
    share = tl.load(positive_share + rows, mask=rows < num_rows, other=0.0)
    group_of_row = tl.load(image_group + rows, mask=rows < num_rows, other=-1.0)
    group_of_column = tl.load(text_group + columns, mask=columns < num_columns, other=-1.0)
    row_weight, column_weight = tl.load(weights), tl.load(weights + 1)

    by_row = row_weight * tl.exp(logits - of_row[:, None])
    by_column = column_weight * tl.exp(logits - of_column[None, :])
    positive = tl.where(group_of_row[:, None] == group_of_column[None, :], 2 * row_weight * share[:, None], 0.0)
    at = gradient + rows[:, None].to(tl.int64) * num_columns + columns[None, :]
    inside = (rows[:, None] < num_rows) & (columns[None, :] < num_columns)
    tl.store(at, (by_row + by_column - positive).to(gradient.dtype.element_ty), mask=inside)


def _launch(u: Tensor, v: Tensor) -> tuple[tuple[int, int], dict[str, int]]:
    """Grid of row blocks and column blocks, and the sizes of a block."""
    blocks = BLOCKS[u.element_size()]
    return (triton.cdiv(len(u), blocks['ROWS']), triton.cdiv(len(v), blocks['COLUMNS'])), blocks


def _log_sum_exps(u: Tensor, v: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    grid, blocks = _launch(u, v)
    of_rows = torch.empty(grid[1], len(u), device=u.device)
    of_columns = torch.empty(grid[0], len(v), device=u.device)
    _log_sum_exp_kernel[grid](u, v, scale, of_rows, of_columns, len(u), len(v), u.size(1), **blocks)
    return of_rows.double().logsumexp(0), of_columns.double().logsumexp(0)


def _gradient(
    u: Tensor, v: Tensor, scale: Tensor, row_lse: Tensor, column_lse: Tensor, weights: Tensor, groups: TileGroups
) -> Tensor:
    grid, blocks = _launch(u, v)
    gradient = torch.empty(len(u), len(v), dtype=u.dtype, device=u.device)
    row_lse, column_lse = row_lse.float(), column_lse.float()
    sizes = (len(u), len(v), u.size(1))
    _gradient_kernel[grid](u, v, scale, row_lse, column_lse, weights, *groups, gradient, *sizes, **blocks)
    return gradient


TRITON_TILES = TileMath(_log_sum_exps, _gradient, cpu_size=(256, 512), gpu_size=(4096, 4096))
