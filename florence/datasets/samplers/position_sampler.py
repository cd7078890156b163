"""Base of endless samplers that are addressed by position: the sample at any place of the training is computed, not walked to."""

from abc import abstractmethod
from collections.abc import Iterator, Sized

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from florence.loading.number_hash import IntArray

BLOCK = 1024
"""Indices computed at once."""


class PositionSampler(Sampler):
    """Yields `index_at(p)` for the positions `p = rank, rank + world_size, rank + 2 * world_size, ...` without end.

    Ranks share one order: a step of two ranks with batches of B reads what one process with a batch of 2 B reads.

    Args:
        dataset: The data set, with a length.
        seed: Decides the order, the same on all ranks; None = one drawn now and shared by all ranks.

    Raises:
        ValueError: If the data set is empty.
    """

    def __init__(self, dataset: Sized, seed: int | None = None) -> None:
        if not len(dataset):
            raise ValueError(f'{type(self).__name__}: the data set is empty')
        self.dataset = dataset
        self.rank, self.world_size = get_dist_info()
        self.seed = int(sync_random_seed() if seed is None else seed)
        self._skipped = 0

    @abstractmethod
    def index_at(self, positions: IntArray) -> IntArray:
        """Indices of the samples at some positions.

        Args:
            positions: Places in the order that all ranks share, `(N,)` int64, not negative.
        """

    def skip(self, num_samples: int) -> None:
        """Begin later: the cost does not depend on how much later. The contract of `mmengine`'s `InfiniteSampler.skip`.

        Args:
            num_samples: Samples of this rank that count as read, from the start of the training.

        Raises:
            ValueError: If it is negative.
        """
        if num_samples < 0:
            raise ValueError(f'num_samples must not be negative, got {num_samples}')
        self._skipped = num_samples

    def __iter__(self) -> Iterator[int]:
        """Endless indices of this rank, from the samples skipped on."""
        start = self._skipped
        while True:
            yield from self.index_at(np.arange(start, start + BLOCK, dtype=np.int64) * self.world_size + self.rank).tolist()
            start += BLOCK

    def __len__(self) -> int:
        """Length of the data set."""
        return len(self.dataset)

    def set_epoch(self, epoch: int) -> None:
        """Hooks call it; an endless order has no epochs."""
