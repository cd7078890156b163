"""Hashes of whole numbers: the seed of a sample's augmentation and the keys of permutations come from them.

The mixing step is that of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014): neighbouring
numbers get unrelated hashes, in every process and on every machine the same. Once for Python's integers, once for arrays.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

IntArray: TypeAlias = NDArray[np.int64]
HashArray: TypeAlias = NDArray[np.uint64]

_MASK = (1 << 64) - 1
_GAMMA, _FACTOR_1, _FACTOR_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def hash_numbers(*numbers: int) -> int:
    """Hash of some integers in their order, in `[0, 2**64)`."""
    state = 0
    for number in numbers:
        state = ((state ^ number) + _GAMMA) & _MASK
        state = ((state ^ (state >> 30)) * _FACTOR_1) & _MASK
        state = ((state ^ (state >> 27)) * _FACTOR_2) & _MASK
        state ^= state >> 31
    return state


def hash_arrays(*numbers: int | IntArray | HashArray) -> HashArray:
    """The same for arrays, element by element.

    Args:
        numbers: Integers or int64 / uint64 arrays of shapes that broadcast.

    Returns:
        uint64 of the common shape, at least `(1,)`.
    """
    state = np.zeros(1, dtype=np.uint64)
    for number in numbers:
        part = number.astype(np.uint64) if isinstance(number, np.ndarray) else np.array([number & _MASK], dtype=np.uint64)
        state = (state ^ part) + np.uint64(_GAMMA)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(_FACTOR_1)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(_FACTOR_2)
        state = state ^ (state >> np.uint64(31))
    return state
