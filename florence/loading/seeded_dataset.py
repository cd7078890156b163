"""A data set with an index whose samples are augmented by their place in the training alone."""

from collections.abc import Sequence
from typing import Any

from torch.utils.data import Dataset, get_worker_info

from florence.loading.number_hash import hash_numbers
from florence.loading.sample_seed import generators_preserved, seed_generators
from florence.loading.wrapped_dataset import WrappedDataset

EPOCH_STRIDE = 1 << 48
"""Positions in one epoch of a sampler with an end; an endless sampler stays in epoch 0."""


class SeededDataset(WrappedDataset, Dataset):
    """Seeds the generators from (seed, position) before each sample.

    The position counts over all ranks, so the augmentation does not depend on how many there are.

    Args:
        wrapped: Data set with an index.
        seed: Seed of the run.
    """

    def __init__(self, wrapped: Dataset, seed: int) -> None:
        super().__init__(wrapped)
        self._keep(seed=seed)

    @property
    def seed_of_run(self) -> int:
        """Seed of the augmentation; `seed` itself may be a field of the data set within."""
        return self._own['seed']

    def set_seed_of_run(self, seed: int) -> None:
        """Go on with another seed of the augmentation."""
        self._keep(seed=seed)

    def __len__(self) -> int:
        return len(self.wrapped)

    def __getitem__(self, index: int) -> Any:
        """A sample outside the training's order, as the set within gives it."""
        return self.wrapped[index]

    def __getitems__(self, places: Sequence[tuple[int, int, int]]) -> list[tuple[tuple[int, int], Any]]:
        """Samples of one batch.

        Args:
            places: Number of the batch in its epoch, position of the sample, index of the sample; see
                `PositionedBatchSampler`.

        Returns:
            For each, (epoch, number of the batch) and the sample.
        """
        if get_worker_info() is not None:
            return self._read(places)
        with generators_preserved():
            return self._read(places)

    def _read(self, places: Sequence[tuple[int, int, int]]) -> list[tuple[tuple[int, int], Any]]:
        seed, wrapped, pairs = self._own['seed'], self.wrapped, []
        for batch, position, index in places:
            seed_generators(hash_numbers(seed, position))
            pairs.append(((position // EPOCH_STRIDE, batch), wrapped[index]))
        return pairs
