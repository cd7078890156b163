"""Rows of unequal length in flat arrays: loader workers share them without a copy, and Python counts no references in them."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PackedRows:
    """N rows one after the other in one array.

    Attributes:
        values: Elements of all rows.
        starts, ends: Where row i lies in `values`, `(N,)` int64.
    """

    values: NDArray
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, row: int) -> NDArray:
        return self.values[self.starts[row] : self.ends[row]]

    def take(self, rows: NDArray) -> 'PackedRows':
        """The rows at these indices, in this order; the values are not copied."""
        return PackedRows(self.values, self.starts[rows], self.ends[rows])

    def text(self, row: int) -> str:
        """A row of UTF-8 bytes as a string."""
        return self[row].tobytes().decode('utf-8')

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Length of each row, `(N,)`."""
        return self.ends - self.starts

    @classmethod
    def from_lengths(cls, values: NDArray, lengths: Iterable[int]) -> 'PackedRows':
        """Rows that lie in `values` without gaps.

        Args:
            values: Elements of all rows in order.
            lengths: Length of each row.
        """
        ends = np.cumsum(np.fromiter(lengths, dtype=np.int64), dtype=np.int64)
        starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]]) if len(ends) else ends
        return cls(values, starts, ends)


class ByteRows:
    """Collects rows of bytes; `pack` gives them as `PackedRows`."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._lengths: list[int] = []

    def append(self, row: bytes) -> None:
        """Add one row."""
        self._data += row
        self._lengths.append(len(row))

    def pack(self) -> PackedRows:
        """All rows so far."""
        return PackedRows.from_lengths(np.frombuffer(bytes(self._data), dtype=np.uint8), self._lengths)
