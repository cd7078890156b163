"""Precision at given recalls, of all classes at once.

Precision is highest just at a true positive, and recall rises only there. So the largest precision at or beyond a recall needs
the true positives alone: the j-th of a class, with f false ones before it, has precision j / (f + j), and the first that reaches
recall r of n objects is known from r and n.
"""

import numpy as np


def needed_hits(num_objects: np.ndarray, recalls: np.ndarray) -> np.ndarray:
    """Least number of true positives, from 1, whose recall `hits / num_objects` in float64 is at least that asked for.

    Args:
        num_objects: Objects of each class, `(K,)`; 0 needs 1.
        recalls: `(R,)`.

    Returns:
        `(K, R)` int64.
    """
    total = np.maximum(num_objects, 1)[:, None]
    # The product may be off by a rounding, so the float comparison itself decides among its neighbours.
    guess = np.floor(recalls * total).astype(np.int64) - 1
    for _ in range(3):
        guess += guess / total < recalls
    return np.maximum(guess, 1)


def precision_recall(
    hits: np.ndarray,
    misses: np.ndarray,
    other_misses: np.ndarray,
    classes: np.ndarray,
    num_objects: np.ndarray,
    needed: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall at several thresholds.

    Args:
        hits: True positives among the candidates, sorted by class and score, `(T, C)` bool.
        misses: False positives among the candidates, `(T, C)` bool.
        other_misses: False positives of the same class ahead of each candidate that are no candidates themselves, `(C,)`.
        classes: Class of each candidate, ascending, `(C,)`.
        num_objects: `(K,)`.
        needed: As `needed_hits` gives it, `(K, R)`.

    Returns:
        Precision `(T, R, K)` and recall `(T, K)`; -1 for classes without objects.
    """
    num_classes, num_recalls = needed.shape
    class_starts = np.searchsorted(classes, np.arange(num_classes))
    precision = np.empty((len(hits), num_recalls, num_classes))
    recall = np.empty((len(hits), num_classes))
    for threshold, (hit, miss) in enumerate(zip(hits, misses)):
        where = np.flatnonzero(hit)
        own = classes[where]
        counts = np.bincount(own, minlength=num_classes)
        starts = np.cumsum(counts) - counts
        before = np.r_[0, np.cumsum(miss, dtype=np.int64)]
        false = other_misses[where] + before[where] - before[class_starts][own]
        true = np.arange(1, len(where) + 1) - starts[own]
        values = true / (false + true + np.spacing(1))
        precision[threshold] = _best_beyond(values, starts, counts, needed).T
        recall[threshold] = counts / np.maximum(num_objects, 1)
    precision[:, :, num_objects == 0] = -1
    recall[:, num_objects == 0] = -1
    return precision, recall


def _best_beyond(values: np.ndarray, starts: np.ndarray, counts: np.ndarray, needed: np.ndarray) -> np.ndarray:
    """Largest of a class's values from its `needed`-th on, 0 where it has fewer, `(K, R)`."""
    reached = needed <= counts[:, None]
    first = np.where(reached, starts[:, None] + needed - 1, (starts + counts)[:, None])
    # The zero lets a class at the end ask for what lies beyond it; stretches between recalls are joined afterwards.
    between = np.maximum.reduceat(np.r_[values, 0.0], first.reshape(-1)).reshape(first.shape)
    between[~reached] = 0
    return np.maximum.accumulate(between[:, ::-1], axis=1)[:, ::-1]
