"""Keys and values of the tokens that a decoder has seen, so that each token passes through it once.

Axes: N sequences, T tokens, H heads, d width of a head.
"""

import torch
from torch import Tensor

KeysValues = tuple[Tensor, Tensor]


class KeyValueCache:
    """Those of all layers in one tensor, which is reordered in one pass when beams change places.

    Args:
        num_layers: Layers of the decoder.
        capacity: Largest number of tokens.

    Attributes:
        length: Number of tokens held.
    """

    def __init__(self, num_layers: int, capacity: int) -> None:
        self.num_layers, self.capacity, self.length = num_layers, capacity, 0
        self._store: Tensor | None = None  # (T_max, layers, 2, N, H, d)
        self._spare: Tensor | None = None

    def append(self, layer: int, keys: Tensor, values: Tensor) -> KeysValues:
        """Add those of new tokens; layers come in order, each once per step.

        Args:
            layer: Number of the layer.
            keys, values: Of the new tokens, `(N, H, T_new, d)`.

        Returns:
            Those of all tokens of that layer, `(N, H, T, d)`.
        """
        rows, heads, added, dims = keys.shape
        end = self.length + added
        assert end <= self.capacity, 'the cache is full'
        if self._store is None:
            self._store = keys.new_empty(self.capacity, self.num_layers, 2, rows, heads, dims)
        new = self._store[self.length : end, layer]  # (T_new, 2, N, H, d)
        new[:, 0] = keys.permute(2, 0, 1, 3)
        new[:, 1] = values.permute(2, 0, 1, 3)
        all_keys, all_values = self._store[:end, layer].permute(1, 2, 3, 0, 4)  # 2 x (N, H, T, d)
        if layer == self.num_layers - 1:
            self.length = end
        return all_keys, all_values

    def reorder(self, rows: Tensor) -> None:
        """Go on with these sequences.

        Args:
            rows: Numbers of present sequences, `(N',)`; one may occur several times.
        """
        assert self._store is not None, 'there is nothing to reorder yet'
        before, (*_, heads, dims) = self._store, self._store.shape
        shape = (self.capacity, self.num_layers, 2, len(rows), heads, dims)
        if self._spare is None or self._spare.shape != shape:
            self._spare = before.new_empty(shape)
        torch.index_select(before[: self.length], 3, rows, out=self._spare[: self.length])
        self._store, self._spare = self._spare, before
