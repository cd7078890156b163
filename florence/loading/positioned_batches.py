"""A batch sampler that numbers batches and samples, and begins where a checkpoint left off."""

from collections.abc import Iterator, Sequence

from torch.utils.data import BatchSampler, Sampler

from florence.loading.seeded_dataset import EPOCH_STRIDE


class PositionedBatchSampler(Sampler):
    """Yields `(number of the batch, position of the sample, its index)` where the sampler within yields indices.

    A position is `epoch * 2**48 + k * world_size + rank` for the k-th sample that this rank reads in the epoch.
    Epochs are counted here or by whoever calls the sampler's `set_epoch`, whichever is further.

    Args:
        batch_sampler: torch's, or one that groups by other rules (mmdet's `AspectRatioBatchSampler`).
        rank, world_size: This process and the number of processes.
    """

    def __init__(self, batch_sampler: BatchSampler, *, rank: int, world_size: int) -> None:
        self.batch_sampler = batch_sampler
        self.rank = rank
        self.world_size = world_size
        self._next_epoch = 0
        self._start = (0, 0)

    @property
    def sampler(self) -> Sampler:
        """Sampler of indices, whose `set_epoch` hooks call; the batch sampler itself where it draws them alone."""
        return getattr(self.batch_sampler, 'sampler', self.batch_sampler)

    @property
    def batch_size(self) -> int:
        """Samples in a batch."""
        return self.batch_sampler.batch_size

    @property
    def drop_last(self) -> bool:
        """Whether an incomplete last batch is left out."""
        return self.batch_sampler.drop_last

    @property
    def can_jump(self) -> bool:
        """Whether the cost of `skip` does not depend on how far: fixed batches over a sampler that can skip."""
        return type(self.batch_sampler) is BatchSampler and hasattr(self.sampler, 'skip')

    def skip(self, num_batches: int, epoch: int = 0) -> None:
        """Begin with this batch of this epoch.

        Args:
            num_batches: Batches of this rank that count as read in the epoch.
            epoch: Epochs that count as read.
        """
        self._start = (epoch, num_batches)
        self._next_epoch = epoch

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[list[tuple[int, int, int]]]:
        """Batches of one epoch from the start on; begun twice before the end, it gives the same batches."""
        epoch = max(self._next_epoch, getattr(self.sampler, 'epoch', 0))
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)
        skipped = self._start[1] if epoch == self._start[0] else 0
        number = num_samples = 0
        if hasattr(self.sampler, 'skip'):
            if self.can_jump:
                number, num_samples = skipped, skipped * self.batch_size
            # Also where nothing is skipped: an endless sampler would go on from where a worker's prefetching left it.
            self.sampler.skip(num_samples)
        for indices in self.batch_sampler:
            if number >= skipped:
                yield self._placed(indices, number, epoch * EPOCH_STRIDE + num_samples * self.world_size + self.rank)
            number += 1
            num_samples += len(indices)
        self._next_epoch = epoch + 1

    def _placed(self, indices: Sequence[int], number: int, first: int) -> list[tuple[int, int, int]]:
        return [(number, first + k * self.world_size, index) for k, index in enumerate(indices)]
