"""The k largest scores in an order that does not depend on the device: equal scores by their index."""

import torch
from torch import Tensor


def stable_topk(scores: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Largest scores, the larger first, of equal ones that with the smaller index.

    Args:
        scores: `(B, V)`.
        k: At most V.

    Returns:
        Scores and indices, `(B, k)`.
    """
    values, indices = scores.topk(k)
    # torch.topk takes any of the scores that equal the last one, so that a tie there needs a whole sort.
    if ((scores >= values[:, -1:]).sum(1) > k).any():
        values, indices = scores.sort(descending=True, stable=True)
        return values[:, :k], indices[:, :k]
    indices, order = indices.sort()
    values, order = values.gather(1, order).sort(descending=True, stable=True)
    return values, torch.gather(indices, 1, order)
