"""Permutations computed at single places are permutations, uniform enough, and the hashes behind them agree."""

import collections

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from florence.datasets.index_permutation import permuted
from florence.loading.number_hash import hash_arrays, hash_numbers


@given(st.integers(1, 3000), st.integers(0, 2**64 - 1))
@settings(max_examples=60, deadline=None)
def test_all_places_give_all_elements(length, key):
    elements = permuted(np.arange(length), length, np.array([key], dtype=np.uint64))
    assert sorted(elements.tolist()) == list(range(length))


def test_places_of_several_permutations_at_once():
    lengths, keys = np.array([5, 900_000_000, 1, 7]), np.array([1, 2, 3, 4], dtype=np.uint64)
    together = permuted(np.array([4, 123_456_789, 0, 2]), lengths, keys)
    alone = [permuted(np.array([p]), n, np.array([k])) for p, n, k in zip([4, 123_456_789, 0, 2], lengths.tolist(), keys)]
    assert together.tolist() == [int(one[0]) for one in alone]
    assert 0 <= together[1] < 900_000_000


@pytest.mark.parametrize('length', [2, 3, 4, 16])
def test_every_element_comes_first_about_equally_often(length):
    """Chi-square of 20,000 permutations; the bound is passed with probability below 1e-6."""
    keys = hash_arrays(7, np.arange(20_000))
    for place in (0, length - 1):
        counts = collections.Counter(permuted(np.full(20_000, place), length, keys).tolist())
        expected = 20_000 / length
        assert sum((counts[i] - expected) ** 2 / expected for i in range(length)) < 60


def test_neighbours_are_torn_apart():
    elements = permuted(np.arange(100_000), 100_000, hash_arrays(1))
    assert abs(np.corrcoef(np.arange(100_000), elements)[0, 1]) < 0.02
    assert abs(np.corrcoef(elements[:-1], elements[1:])[0, 1]) < 0.02


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=4))
def test_both_forms_of_the_hash_agree(numbers):
    arrays = [np.array([number], dtype=np.int64) for number in numbers]
    assert hash_numbers(*numbers) == int(hash_arrays(*arrays)[0]) == int(hash_arrays(*numbers)[0])


def test_hash_is_that_of_splitmix64():
    """First output of the published generator for the seed 1234567 (Vigna's splitmix64.c)."""
    assert hash_numbers(1234567) == 6457827717110365317
