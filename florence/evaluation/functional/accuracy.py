"""Top-k accuracy, overall and averaged over classes, from the rank of the true class.

Ties count against the prediction: a class that scores exactly as high as the true class is ranked before it,
so a model with constant scores gets 0, not whatever the sort order gives. A score that is not a number
counts as a tie.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def rank_of_target(scores: Tensor, target: Tensor) -> Tensor:
    """Number of classes ranked before the true class, `(N,)` int64, 0 = right at the first place.

    Args:
        scores: Class scores, `(N, C)`.
        target: True class, `(N,)` int64 in `[0, C)`.

    Raises:
        ValueError: If a class index lies outside `[0, C)`.
    """
    num_classes = scores.size(1)
    if target.numel() and not 0 <= int(target.min()) <= int(target.max()) < num_classes:
        raise ValueError(
            f'the model scores {num_classes} classes, the data set has class indices from '
            f'{int(target.min())} to {int(target.max())}: let both use the same classes.'
        )
    own = scores.gather(1, target[:, None])
    # "not below" rather than "at least": it also counts scores that are not a number.
    return (~(scores < own)).sum(1) - 1


def topk_accuracy(ranks: Tensor, topk: Sequence[int]) -> dict[int, float]:
    """Share of samples whose true class is among the first k, percent.

    Args:
        ranks: Result of `rank_of_target`, `(N,)`, N > 0.
        topk: The values of k.
    """
    return {k: (ranks < k).double().mean().item() * 100 for k in topk}


def mean_per_class_accuracy(ranks: Tensor, target: Tensor) -> float:
    """Top-1 accuracy of each class, averaged over the classes that occur in `target`, percent.

    Args:
        ranks: Result of `rank_of_target`, `(N,)`, N > 0.
        target: True class, `(N,)` int64.
    """
    _, group, count = torch.unique(target, return_inverse=True, return_counts=True)
    right = torch.zeros(count.numel(), dtype=torch.float64).index_add(0, group, (ranks < 1).double())
    return (right / count).mean().item() * 100
