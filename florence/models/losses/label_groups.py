"""Which pairs are positives of each other, and the positive part of UniCL without an N x N mask.

With `P(i)` the pairs that share the label of pair i, both directions of the loss (arXiv 2204.03610; arXiv 2111.11432, eq. 1-3)
hold the same positive part, and it needs only one sum of embeddings per label, O(N D):

    sum_i <u_i, mean_{P(i)} v> = sum over labels y of <sum_y u, sum_y v> / |y|
"""

from typing import NamedTuple

import torch
from torch import Tensor


class LabelGroups(NamedTuple):
    """Pairs of one batch grouped by label; N image rows of this rank, M pairs of all ranks, G distinct labels."""

    image_group: Tensor  # (N,) int64, in 0..G-1
    text_group: Tensor  # (M,) int64
    num_texts: Tensor  # (G,) int64, how many of the M pairs carry the label


def unique_ids_for_unlabelled(labels: Tensor, first_index: int = 0) -> Tensor:
    """Replace the label -1 by an id that no other pair on any rank has.

    Args:
        labels: `(N,)` int64, -1 = unlabelled, others >= 0.
        first_index: Index of the first pair among the pairs of all ranks.
    """
    own_ids = -2 - torch.arange(first_index, first_index + labels.numel(), device=labels.device)
    return torch.where(labels == -1, own_ids, labels)


def group_labels(labels: Tensor, own: slice = slice(None)) -> LabelGroups:
    """Group the pairs of all ranks.

    Args:
        labels: `(M,)` int64 labels of the pairs of all ranks, each unlabelled one with an id of its own.
        own: The pairs of this rank among them.
    """
    _, group, count = torch.unique(labels, return_inverse=True, return_counts=True)
    return LabelGroups(group[own], group, count)


def sum_by_group(rows: Tensor, group: Tensor, num_groups: int) -> Tensor:
    """Sum of the rows of each group, `(G, D)`; differentiable, and the same bits in every run."""
    total = rows.new_zeros(num_groups, rows.size(1))
    # On GPU `index_add` uses atomics, whose order changes; an accumulating `index_put` sorts first. On CPU it is the reverse.
    if rows.is_cuda:
        return total.index_put((group,), rows, accumulate=True)
    return total.index_add(0, group, rows)


def positive_similarity(image_embeds: Tensor, text_embeds: Tensor, groups: LabelGroups) -> Tensor:
    """`sum_i <u_i, mean_{P(i)} v>` over the image rows, scalar, differentiable.

    Args:
        image_embeds: `(N, D)`.
        text_embeds: `(M, D)`.
        groups: Groups of these rows.
    """
    num_groups = groups.num_texts.numel()
    images = sum_by_group(image_embeds, groups.image_group, num_groups)
    texts = sum_by_group(text_embeds, groups.text_group, num_groups)
    return (images * texts / groups.num_texts.unsqueeze(1)).sum()
