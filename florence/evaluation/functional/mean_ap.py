"""Average precision of multi-label classification, as the PASCAL VOC development kits define it.

`'11points'` (VOC2007): mean over the recall levels 0, 0.1, ..., 1 of the best precision from there on.
`'area'` (VOC2010 and later): area under the precision-recall curve after precision has been made monotone.

Differs from the kits in ties: among equal scores the negatives are ranked first, so the order of the samples
has no influence and constant scores earn no more than they must. A score that is not a number is ranked
last.
"""

from collections.abc import Sequence

import numpy as np

MODES = ('11points', 'area')


def average_precision(scores: np.ndarray, is_positive: np.ndarray, mode: str = '11points') -> float:
    """Average precision of one class, percent; NaN if the class has no positive sample.

    Args:
        scores: Score of each sample, `(N,)`.
        is_positive: Whether the sample has the class, `(N,)` bool.
        mode: `'11points'` or `'area'`.

    Raises:
        ValueError: If `mode` is neither.
    """
    if mode not in MODES:
        raise ValueError(f"mode must be '11points' or 'area', got {mode!r}.")
    num_positives = int(is_positive.sum())
    if num_positives == 0:
        return float('nan')
    order = np.lexsort((is_positive, -np.where(np.isnan(scores), -np.inf, scores)))
    hits = is_positive[order]
    true_positives = np.cumsum(hits)
    precision = true_positives / np.arange(1, len(hits) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    if mode == 'area':
        return float(best_from_here[hits].sum() / num_positives * 100)
    # Whole numbers on both sides: 0.3 * 10 positives must be reached by exactly 3 of them.
    first = [int(np.argmax(10 * true_positives >= level * num_positives)) for level in range(11)]
    return float(best_from_here[first].mean() * 100)


def multi_label_ap(scores: np.ndarray, labels: Sequence[Sequence[int]], mode: str = '11points') -> np.ndarray:
    """Average precision of each class, `(C,)` percent, NaN where a class has no positive sample.

    Args:
        scores: `(N, C)`.
        labels: Class indices of each sample, each in `[0, C)`.
        mode: `'11points'` or `'area'`.

    Raises:
        ValueError: If a class index lies outside `[0, C)`, or `mode` is unknown.
    """
    num_samples, num_classes = scores.shape
    is_positive = np.zeros((num_samples, num_classes), dtype=bool)
    for row, classes in enumerate(labels):
        for index in classes:
            if not 0 <= index < num_classes:
                raise ValueError(
                    f'the model scores {num_classes} classes, the data set has class index {index}: '
                    'let both use the same classes.'
                )
            is_positive[row, index] = True
    return np.array([average_precision(scores[:, c], is_positive[:, c], mode) for c in range(num_classes)])
