"""Handwritten digits for the scenes: the 1,797 real 8 x 8 scans that ship with scikit-learn, split once into train and test."""

from functools import cache, lru_cache

import numpy as np

TEST_SHARE = 0.25
SCAN_SIDE = 8


@lru_cache(maxsize=1)
def _all_scans() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    data = load_digits()
    return (data.images / 16.0).astype(np.float32), data.target.astype(np.int64)


@cache
def digit_scans(split: str) -> tuple[np.ndarray, ...]:
    """Ink of every scan of a split, by digit.

    The split is by scan and fixed: 25 % of the scans of each digit are test scans, whatever the seed of the scenes, so that no
    scene of one split shows a scan of the other.

    Args:
        split: 'train' or 'test'.

    Returns:
        Ten arrays `(M_digit, 8, 8)`, ink in [0, 1].

    Raises:
        ValueError: If the split is unknown.
    """
    if split not in ('train', 'test'):
        raise ValueError(f"digit scenes have the splits 'train' and 'test', got {split!r}.")
    scans, digits = _all_scans()
    by_digit = []
    for digit in range(10):
        own = np.flatnonzero(digits == digit)
        own = own[np.random.default_rng(digit).permutation(len(own))]
        num_test = round(TEST_SHARE * len(own))
        by_digit.append(scans[own[:num_test] if split == 'test' else own[num_test:]])
    return tuple(by_digit)
