"""A stream that gives whole batches with their places, from one logical stream per loader worker."""

import copy
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

from torch.utils.data import IterableDataset, get_worker_info

from florence.loading.positioned_batch import PositionedBatch, with_position
from florence.loading.sample_seed import generators_preserved
from florence.loading.stream_share import StreamShare
from florence.loading.wrapped_dataset import WrappedDataset


class ResumableStream(Protocol):
    """What a streamed data set needs to be resumed at a sample.

    Attributes:
        is_endless: Whether `read` never stops; else workers would fall out of their rotation.
    """

    is_endless: bool

    def new_position(self) -> dict:
        """Position before the first sample: a dict of plain Python values."""

    def check_position(self, position: dict) -> None:
        """Raise a `ValueError` where a position is not one of this stream."""

    def read(self, share: StreamShare, position: dict) -> Iterator[dict]:
        """Samples of a share from a position on; `position` is brought up to date before each."""


class PositionedStream(WrappedDataset, IterableDataset):
    """Batches of a `ResumableStream`, each with `(number of the logical stream, its position after the batch)`.

    A loader asks its workers for batches in strict rotation, so batch b of a training always comes from logical stream
    `b % num_streams`. After a resume the first worker must serve the next batch: it takes over the logical stream in turn.

    Args:
        wrapped: An endless stream.
        collate: Makes a batch of a list of samples.
        batch_size: Samples in a batch.
        seed: Seed of the augmentation.
        rank, world_size: This process and the number of processes.
    """

    def __init__(
        self,
        wrapped: ResumableStream,
        collate: Callable[[Sequence], dict],
        *,
        batch_size: int,
        seed: int,
        rank: int,
        world_size: int,
    ) -> None:
        super().__init__(wrapped)
        self._keep(collate=collate, batch_size=batch_size, seed=seed, rank=rank, world_size=world_size)
        self.begin_at(0, [])

    @property
    def batch_size(self) -> int:
        """Samples in a batch."""
        return self._own['batch_size']

    @property
    def seed_of_run(self) -> int:
        """Seed of the augmentation; the order of the samples has its own."""
        return self._own['seed']

    def set_seed_of_run(self, seed: int) -> None:
        """Go on with another seed of the augmentation."""
        self._keep(seed=seed)

    @property
    def share_of_run(self) -> dict[str, int]:
        """Seed of the augmentation, rank and number of ranks."""
        return {name: self._own[name] for name in ('seed', 'rank', 'world_size')}

    def begin_at(self, num_batches: int, positions: Sequence[dict | None]) -> None:
        """Where the next iteration begins.

        Args:
            num_batches: Batches consumed in all.
            positions: Position of each logical stream, None where it gave no batch; empty = all begin anew.
        """
        self._keep(num_batches=num_batches, positions=positions)

    def __iter__(self) -> Iterator[PositionedBatch]:
        """Endless batches of this worker."""
        own, info = self._own, get_worker_info()
        worker, num_workers = (info.id, info.num_workers) if info else (0, 1)
        number = (worker + own['num_batches']) % num_workers
        share = StreamShare(own['rank'], own['world_size'], number, num_workers, own['seed'])
        position = copy.deepcopy(own['positions'][number]) if own['positions'] else None
        position = position or self.wrapped.new_position()
        samples = self.wrapped.read(share, position)
        while True:
            if info is None:
                with generators_preserved():
                    batch = self._next_batch(samples)
            else:
                batch = self._next_batch(samples)
            yield with_position(batch, (number, copy.deepcopy(position)))

    def _next_batch(self, samples: Iterator[dict]) -> Any:
        batch = list(islice(samples, self._own['batch_size']))
        assert len(batch) == self._own['batch_size'], 'an endless stream has ended'
        return self._own['collate'](batch)
