"""Keys and values of the tokens that a decoder has seen, so that each token passes through it once.

Those of all beams of an item lie side by side and are never moved when beams change places: a mask says which of them are the
past of which beam. So the keys that beams share are read once for all of them, and a step copies nothing of the past.

Axes: B items, K beams, T new tokens of a beam, S tokens so far of all beams of an item, H heads, d width of a head, D = H d.
"""

import torch
from torch import Tensor

KeysValues = tuple[Tensor, Tensor]
# Room for so many tokens at first; it doubles when it is full.
FIRST_CAPACITY = 64


class BeamCache:
    """It begins with one beam per item; each step adds tokens to every beam.

    Args:
        num_layers: Layers of the decoder.

    Attributes:
        length: Number of tokens that each beam holds.
        mask: What each token of the running step may attend to, `(B, 1, K T, S)`, 0 or -inf; None = everything.
    """

    def __init__(self, num_layers: int) -> None:
        self.num_layers, self.length = num_layers, 0
        self.mask: Tensor | None = None
        self._past: Tensor | None = None  # (B, K, S) bool
        self._store: Tensor | None = None  # (layers, 2, B, H, S_max, d)

    def begin(self, new: Tensor, num_beams: int) -> None:
        """Begin a step.

        Args:
            new: The new tokens, beam after beam, in the type of the keys, `(B, K T, D)`.
            num_beams: K.
        """
        items, rows = new.shape[:2]
        assert rows == num_beams or (self.length == 0 and num_beams == 1), 'several tokens come only as a prompt'
        # A beam does not see the new tokens of the others, a token of the prompt does not see those to come.
        own = torch.ones(rows, rows, dtype=torch.bool, device=new.device)
        own = own.tril() if num_beams == 1 else torch.eye(rows, dtype=torch.bool, device=new.device)
        past = own.new_ones(items, 1, 0) if self._past is None else self._past
        self._past = torch.cat([past.expand(-1, rows, -1), own.expand(items, -1, -1)], 2)
        is_one_beam = num_beams == 1 and self._past.shape[2] == self.length + 1
        self.mask = None if is_one_beam else new.new_zeros(self._past.shape).masked_fill_(~self._past, -torch.inf)[:, None]
        self._past = self._past[:, -num_beams:]
        self.length += rows // num_beams

    def append(self, layer: int, keys: Tensor, values: Tensor) -> KeysValues:
        """Add those of the new tokens.

        Args:
            layer: Number of the layer; they come in order, each once per step.
            keys, values: Of the new tokens, `(B, H, K T, d)`.

        Returns:
            Those of all tokens of that layer, `(B, H, S, d)`, to be used under `mask`.
        """
        assert self._past is not None, 'a step begins with `begin`'
        end = self._past.shape[2]
        start = end - keys.shape[2]
        if self._store is None or end > self._store.shape[4]:
            self._store = self._larger(keys, start, end)
        all_keys, all_values = self._store[layer, :, :, :, :end]  # 2 x (B, H, S, d)
        all_keys[:, :, start:] = keys
        all_values[:, :, start:] = values
        return all_keys, all_values

    def keep(self, items: Tensor | None, beams: Tensor) -> None:
        """Go on with these beams.

        Args:
            items: Numbers of the items that go on, rising, `(B',)`; None = all.
            beams: Numbers of their present beams, `(B', K')`; one may occur several times.
        """
        assert self._past is not None and self._store is not None, 'there is nothing to keep yet'
        past = self._past if items is None else self._past[items]
        self._past = past.gather(1, beams[..., None].expand(-1, -1, past.shape[2]))
        if items is not None:
            used = past.shape[2]
            kept = self._store[:, :, items, :, :used]
            self._store = self._store[:, :, : len(items)]
            self._store[:, :, :, :, :used] = kept

    def _larger(self, keys: Tensor, used: int, needed: int) -> Tensor:
        items, heads, _, dims = keys.shape
        store = keys.new_empty(self.num_layers, 2, items, heads, max(FIRST_CAPACITY, 2 * needed), dims)
        if self._store is not None:
            store[:, :, :, :, :used] = self._store[:, :, :, :, :used]
        return store
