"""Random order of a stream by a buffer of fixed size, and its contents at any draw.

Each draw takes a random slot's sample and puts the stream's next sample there. The slots come from a counter-based source, so
what lies in the buffer after a million draws is found from the last draws alone: go back until each slot was hit once, about
`n * ln(n)` draws for n slots, no matter how long the training ran.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from florence.datasets.shard_sequence import ShardSequence
from florence.loading.number_hash import IntArray, hash_numbers

BLOCK = 4096
_SLOT_KEY, _DRAIN_KEY = 0, 1


class ShuffleBuffer:
    """Order of the samples of one pass.

    Args:
        size: Samples held beside the one that is drawn; 0 = the order of the stream. None comes more than `size` places early.
        key: Names the order.
    """

    def __init__(self, size: int, key: int) -> None:
        self.num_slots = size + 1
        self.key = key

    def _block(self, block: int) -> IntArray:
        generator = np.random.default_rng(hash_numbers(self.key, _SLOT_KEY, block))
        return generator.integers(self.num_slots, size=BLOCK)

    def slots_from(self, draw: int) -> Iterator[int]:
        """Slots of this draw and all after it, without end."""
        block, place = divmod(draw, BLOCK)
        while True:
            yield from self._block(block)[place:].tolist()
            block, place = block + 1, 0

    def contents(self, num_draws: int) -> IntArray:
        """Numbers of the samples in the slots after some draws, `(slots,)`, while the stream lasts."""
        numbers = np.full(self.num_slots, -1, dtype=np.int64)
        for block in range((num_draws - 1) // BLOCK, -1, -1):
            slots = self._block(block)[: num_draws - block * BLOCK]
            latest = np.full(self.num_slots, -1, dtype=np.int64)
            np.maximum.at(latest, slots, np.arange(len(slots)) + block * BLOCK)
            # Draw d puts sample `slots + d` into its slot.
            numbers = np.where((numbers < 0) & (latest >= 0), latest + self.num_slots, numbers)
            if (numbers >= 0).all():
                break
        return np.where(numbers < 0, np.arange(self.num_slots), numbers)

    def last_order(self, count: int) -> IntArray:
        """Order in which `count` slots are emptied when the stream has ended."""
        return np.random.default_rng(hash_numbers(self.key, _DRAIN_KEY)).permutation(count)

    def draw(self, sequence: ShardSequence, num_draws: int) -> Iterator[Any]:
        """Samples in random order.

        Args:
            sequence: The stream; its sizes are those known after `num_draws` draws.
            num_draws: Samples that count as drawn.
        """
        buffer, stream, num_emptied = self._restore(sequence, num_draws) if num_draws else self._fill(sequence)
        if not num_emptied:
            for slot, sample in zip(self.slots_from(num_draws), stream):
                drawn, buffer[slot] = buffer[slot], sample
                yield drawn
        for slot in self.last_order(len(buffer))[num_emptied:]:
            drawn, buffer[slot] = buffer[slot], None
            yield drawn

    def _fill(self, sequence: ShardSequence) -> tuple[list, Iterator[Any], int]:
        stream = sequence.samples()
        return [sample for _, sample in zip(range(self.num_slots), stream)], stream, 0

    def _restore(self, sequence: ShardSequence, num_draws: int) -> tuple[list, Iterator[Any], int]:
        """Buffer, stream, and slots emptied at the end of the stream, as they were after some draws."""
        if not sequence.is_exhausted:
            numbers = self.contents(num_draws)
            found, stream = sequence.reopen(np.sort(numbers), self.num_slots + num_draws)
            return [found[number] for number in numbers.tolist()], stream, 0
        num_before = max(0, sequence.num_known - self.num_slots)
        numbers = self.contents(num_before)[: sequence.num_known]
        order = self.last_order(len(numbers))
        left = numbers[order[num_draws - num_before :]]
        found, stream = sequence.reopen(np.sort(left), sequence.num_known)
        return [found.get(number) for number in numbers.tolist()], stream, num_draws - num_before
