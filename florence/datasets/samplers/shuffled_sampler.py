"""Endless passes over a data set, each in an order of its own."""

from collections.abc import Sized

from florence.datasets.index_permutation import permuted
from florence.datasets.samplers.position_sampler import PositionSampler
from florence.loading.number_hash import IntArray, hash_arrays
from florence.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class ShuffledSampler(PositionSampler):
    """Every sample once per pass over all ranks; a batch may hold the end of one pass and the start of the next.

    Differs from mmengine's `InfiniteSampler` in that resuming is free and no permutation of the whole set is made, so that each
    rank computes its own share only.

    Args:
        dataset: The data set.
        shuffle: Each pass in a new random order; else in the set's order.
        seed: See `PositionSampler`.
    """

    def __init__(self, dataset: Sized, shuffle: bool = True, seed: int | None = None) -> None:
        super().__init__(dataset, seed)
        self.shuffle = shuffle

    def index_at(self, positions: IntArray) -> IntArray:
        """See `PositionSampler`."""
        length = len(self.dataset)
        if not self.shuffle:
            return positions % length
        return permuted(positions % length, length, hash_arrays(self.seed, positions // length))
