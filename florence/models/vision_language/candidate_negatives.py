"""Negatives of a ranking, drawn among the pairs of a batch.

ALBEF (arXiv 2107.07651, section 3.2) draws one hard negative of each item with the probabilities that its two towers give; here
several are drawn, without repetition.
"""

import torch
from torch import Tensor


def draw_negatives(logits: Tensor, allowed: Tensor, num_negatives: int) -> tuple[Tensor, Tensor]:
    """Draw some of the allowed entries of each row, without repetition, in proportion to the softmax of its logits.

    The entries with the largest sums of logit and Gumbel noise are such a draw.

    Args:
        logits: `(B, C)`; constant for a uniform draw.
        allowed: `(B, C)` bool.
        num_negatives: Entries wanted of each row.

    Returns:
        Indices `(B, K)` and whether each is an allowed entry `(B, K)` bool, K = the smaller of `num_negatives` and C.
    """
    # Exponential variables are never negative; a zero would be infinite noise.
    noise = -torch.empty_like(logits, dtype=torch.float32).exponential_().clamp_min(1e-30).log()
    perturbed = (logits.float() + noise).masked_fill(~allowed, -torch.inf)
    values, indices = perturbed.topk(min(num_negatives, logits.shape[1]), dim=1)
    return indices, values > -torch.inf
