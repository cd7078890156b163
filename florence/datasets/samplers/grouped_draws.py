"""Draws from groups of samples in fixed proportions, computed at any position."""

from collections.abc import Sequence

import numpy as np

from florence.datasets.index_permutation import permuted
from florence.loading.number_hash import IntArray, hash_arrays

MIN_BLOCK = 1024
_BLOCK_KEY, _GROUP_KEY = 0, 1


class GroupedDraws:
    """An endless sequence of draws: which group, and which of its members.

    The sequence is cut into blocks. At the end of each block every group but the heaviest has had `floor(draws * weight)` draws,
    the heaviest the rest, so proportions do not drift; within a block the order is random. A group's members come in passes: each
    member once, in an order of the pass, then all again. Both counts have a closed form, so any position is computed directly.

    Args:
        sizes: Members of each group, `(G,)`, positive.
        weights: Share of each group, `(G,)`, positive; scaled to the sum 1.

    Attributes:
        block_size: Draws in a block.
    """

    def __init__(self, sizes: Sequence[int] | IntArray, weights: Sequence[float] | np.ndarray) -> None:
        self.sizes = np.asarray(sizes, dtype=np.int64)
        self.weights = np.asarray(weights, dtype=np.float64) / np.sum(weights)
        assert self.sizes.shape == self.weights.shape and self.sizes.min() > 0 and self.weights.min() > 0
        self._heaviest = int(self.weights.argmax())
        # Long enough that what rounding gives to the others never exceeds the heaviest group's share of a block.
        self.block_size = max(MIN_BLOCK, int(np.ceil((len(self.sizes) + 1) / self.weights.max())))

    def counts_before(self, block: int) -> IntArray:
        """Draws of each group in all blocks before one, `(G,)`."""
        counts = np.floor(block * self.block_size * self.weights).astype(np.int64)
        counts[self._heaviest] += block * self.block_size - counts.sum()
        return counts

    def draw(self, positions: IntArray, seed: int) -> tuple[IntArray, IntArray]:
        """Group and member at some positions.

        Args:
            positions: `(N,)` int64, not negative.
            seed: Decides all orders.

        Returns:
            Groups in `[0, G)` and members in `[0, size of the group)`, `(N,)` each.
        """
        blocks, places = np.divmod(positions, self.block_size)
        places = permuted(places, self.block_size, hash_arrays(seed, _BLOCK_KEY, blocks))
        groups, ranks = np.empty_like(places), np.empty_like(places)
        for block in np.unique(blocks):
            here = blocks == block
            before = self.counts_before(int(block))
            in_block = self.counts_before(int(block) + 1) - before
            ends = np.cumsum(in_block)
            group = np.searchsorted(ends, places[here], side='right')
            groups[here] = group
            ranks[here] = before[group] + places[here] - (ends - in_block)[group]
        sizes = self.sizes[groups]
        return groups, permuted(ranks % sizes, sizes, hash_arrays(seed, _GROUP_KEY, groups, ranks // sizes))
