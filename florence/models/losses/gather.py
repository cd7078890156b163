"""Gather of embeddings across ranks with the exact gradient.

Every rank's loss depends on the embeddings of all ranks, so the gradient of a local embedding is the sum of what all ranks
send back: the backward of a gather is a reduce-scatter. Keeping only the local slice (the common short cut) drops the
cross terms and biases the gradient.
"""

import torch
import torch.distributed as dist
from torch import Tensor


class _GatherRows(torch.autograd.Function):
    """Concatenate equally sized blocks of rows of all ranks; the backward sums over ranks and keeps the own block."""

    @staticmethod
    def forward(ctx, rows: Tensor) -> Tensor:
        gathered = rows.new_empty(dist.get_world_size() * rows.size(0), *rows.shape[1:])
        dist.all_gather_into_tensor(gathered, rows.contiguous())
        return gathered

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        # gloo has no reduce-scatter on every version; the sum is the same, only the traffic differs.
        if dist.get_backend() == 'nccl':
            own = grad.new_empty(grad.size(0) // dist.get_world_size(), *grad.shape[1:])
            dist.reduce_scatter_tensor(own, grad.contiguous())
            return own
        total = grad.contiguous().clone()
        dist.all_reduce(total)
        return total.chunk(dist.get_world_size())[dist.get_rank()]


def is_distributed() -> bool:
    """Whether more than one rank takes part."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def rows_per_rank(num_rows: int, device: torch.device) -> list[int]:
    """Number of rows of every rank, in rank order."""
    if not is_distributed():
        return [num_rows]
    counts = torch.zeros(dist.get_world_size(), dtype=torch.int64, device=device)
    dist.all_gather_into_tensor(counts, torch.tensor([num_rows], dtype=torch.int64, device=device))
    return counts.tolist()


def gather_rows(rows: Tensor, counts: list[int]) -> Tensor:
    """Rows of all ranks, `(sum(counts), ...)`, in rank order, differentiable.

    Args:
        rows: The rows of this rank, `(N, ...)`.
        counts: Rows of each rank, as `rows_per_rank` gives; ranks may hold different numbers.
    """
    if len(counts) == 1:
        return rows
    longest = max(counts)
    if rows.size(0) < longest:
        rows = torch.cat([rows, rows.new_zeros(longest - rows.size(0), *rows.shape[1:])])
    gathered = _GatherRows.apply(rows)
    if min(counts) == longest:
        return gathered
    return torch.cat([block[:count] for block, count in zip(gathered.split(longest), counts, strict=True)])
