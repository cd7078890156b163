"""Samples of some shards one after another, numbered, and a way back to any of them that reads no shard in vain."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from florence.loading.number_hash import IntArray


class ShardSequence:
    """Numbers the samples of shards from 0 and notes how many each shard held.

    The sizes are learnt by reading, so a shard that is cut short counts for what it gave. They belong in the checkpoint: with
    them no shard needs to be scanned to find a sample again, wherever it lies.

    Args:
        shards: Names of the shards.
        read: Samples of one shard; the same on each call.
        sizes: Samples in the shards that were read to their end, a list that is added to.
    """

    def __init__(self, shards: Sequence[str], read: Callable[[str], Iterator[Any]], sizes: list[int]) -> None:
        self.shards = shards
        self.sizes = sizes
        self._read = read

    @property
    def is_exhausted(self) -> bool:
        """Whether every shard was read to its end."""
        return len(self.sizes) == len(self.shards)

    @property
    def num_known(self) -> int:
        """Samples in the shards that were read to their end."""
        return sum(self.sizes)

    def samples(self) -> Iterator[Any]:
        """Samples of the shards that were not read to their end, from the first of them on."""
        for shard in self.shards[len(self.sizes) :]:
            size = 0
            for sample in self._read(shard):
                size += 1
                yield sample
            self.sizes.append(size)

    def reopen(self, wanted: IntArray, start: int) -> tuple[dict[int, Any], Iterator[Any]]:
        """Go on where reading had come to.

        Shards without a wanted sample are not opened.

        Args:
            wanted: Numbers of earlier samples that are still needed, each below `start`.
            start: Number of the next sample.

        Returns:
            The wanted samples by their number, and those from `start` on.

        Raises:
            ValueError: If a shard holds fewer samples than it did.
        """
        found: dict[int, Any] = {}
        first = 0
        for shard, size in zip(self.shards, self.sizes):
            here = wanted[(wanted >= first) & (wanted < first + size)]
            if len(here):
                head = islice(self._read(shard), int(here.max()) - first + 1)
                found |= self._pick(shard, head, here, first, int(here.max()) + 1)
            first += size
        rest = self.samples()
        if start > first:
            shard, num_ended = self.shards[len(self.sizes)], len(self.sizes)
            found |= self._pick(shard, islice(rest, start - first), wanted[wanted >= first], first, start)
            if len(self.sizes) > num_ended:
                raise _shrunken(shard)
        return found, rest

    def _pick(self, shard: str, samples: Iterator[Any], wanted: IntArray, first: int, end: int) -> dict[int, Any]:
        numbers, found, number = set(wanted.tolist()), {}, first
        for sample in samples:
            if number in numbers:
                found[number] = sample
            number += 1
        if number < end:
            raise _shrunken(shard)
        return found


def _shrunken(shard: str) -> ValueError:
    return ValueError(
        f'shard {shard} holds fewer samples now than when the checkpoint was written, its place in the data cannot be found: '
        'restore the shard, or start from the weights alone with --load-from'
    )
