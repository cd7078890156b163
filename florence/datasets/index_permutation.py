"""Random permutations that are computed at single places, so that no list of 900 million indices is ever made.

A Feistel network is a bijection of `[0, 4**h)` for any round function (Luby and Rackoff 1988); results outside the length are
sent through it again until they lie inside ("cycle walking", Black and Rogaway 2002), which keeps it a bijection of `[0,
length)`. A permutation of any length costs nothing until an element is asked for.
"""

import numpy as np

from florence.loading.number_hash import HashArray, IntArray, hash_arrays

ROUNDS = 6


def permuted(places: IntArray, lengths: int | IntArray, keys: HashArray) -> IntArray:
    """Elements of random permutations.

    Args:
        places: Places in the permutations, `(N,)` int64, each in `[0, length)`.
        lengths: Lengths of the permutations, at most `2**52`; one, or `(N,)`.
        keys: Names of the permutations, `(N,)` or `(1,)` uint64: places with the same key and length belong to the same one.

    Returns:
        `(N,)` int64, each in `[0, length)`; all places of one permutation give all its elements.
    """
    lengths = np.broadcast_to(np.asarray(lengths, dtype=np.int64), places.shape)
    keys = np.broadcast_to(keys, places.shape)
    # The exponent of a float is the number of bits of a whole number below 2**53.
    bits = np.frexp((lengths - 1).astype(np.float64))[1]
    half_bits = np.maximum((bits + 1) // 2, 1).astype(np.uint64)
    values = _feistel(places.astype(np.uint64), half_bits, keys)
    outside = np.flatnonzero(values >= lengths.astype(np.uint64))
    while len(outside):
        values[outside] = _feistel(values[outside], half_bits[outside], keys[outside])
        outside = outside[values[outside] >= lengths[outside].astype(np.uint64)]
    return values.astype(np.int64)


def _feistel(values: HashArray, half_bits: HashArray, keys: HashArray) -> HashArray:
    mask = (np.uint64(1) << half_bits) - np.uint64(1)
    left, right = values >> half_bits, values & mask
    for number in range(ROUNDS):
        left, right = right, left ^ (hash_arrays(keys, number, right) & mask)
    return (left << half_bits) | right
