"""Keys and values of the tokens that a decoder has seen, so that each token passes through it once.

Those of all beams of an item lie side by side and are never moved when beams change places: a mask says which of them are the
past of which beam. So the keys that beams share are read once for all of them, and a step copies nothing of the past.

Axes: B items, K beams, T new tokens of a beam, S tokens so far of all beams of an item, H heads, d width of a head, D = H d.
"""

import torch
from torch import Tensor

from florence.models.seq2seq.beam_past import BeamPast

KeysValues = tuple[Tensor, Tensor]
# Room for so many tokens at first; it doubles when it is full.
FIRST_CAPACITY = 64


class BeamCache:
    """It begins with one beam per item; each step adds tokens to every beam.

    Args:
        num_layers: Layers of the decoder.

    Attributes:
        mask: What each token of the running step may attend to, `(B, 1, K T, S)`, 0 or -inf; None = everything.
    """

    def __init__(self, num_layers: int) -> None:
        self.num_layers, self.past = num_layers, BeamPast()
        self.mask: Tensor | None = None
        self._store: Tensor | None = None  # (layers, 2, B, H, S_max, d)

    @property
    def length(self) -> int:
        """Number of tokens that each beam holds."""
        return self.past.length

    def begin(self, new: Tensor, num_beams: int) -> None:
        """Begin a step.

        Args:
            new: The new tokens, beam after beam, in the type of the keys, `(B, K T, D)`.
            num_beams: K.
        """
        items, rows = new.shape[:2]
        visible = self.past.begin(items, rows, num_beams, new.device)
        is_one_beam = rows == 1 and visible.shape[2] == self.length
        self.mask = None if is_one_beam else new.new_zeros(visible.shape).masked_fill_(~visible, -torch.inf)[:, None]

    def append(self, layer: int, keys: Tensor, values: Tensor) -> KeysValues:
        """Add those of the new tokens.

        Args:
            layer: Number of the layer; they come in order, each once per step.
            keys, values: Of the new tokens, `(B, H, K T, d)`.

        Returns:
            Those of all tokens of that layer, `(B, H, S, d)`, to be used under `mask`.
        """
        end = self.past.num_tokens
        assert end, 'a step begins with `begin`'
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
        self.past.keep(items, beams)
        if items is not None:
            assert self._store is not None, 'tokens were begun but not added'
            used = self.past.num_tokens
            kept = self._store[:, :, items, :, :used]
            self._store = self._store[:, :, : len(items)]
            self._store[:, :, :, :, :used] = kept

    def _larger(self, keys: Tensor, used: int, needed: int) -> Tensor:
        items, heads, _, dims = keys.shape
        store = keys.new_empty(self.num_layers, 2, items, heads, max(FIRST_CAPACITY, 2 * needed), dims)
        if self._store is not None:
            store[:, :, :, :, :used] = self._store[:, :, :, :, :used]
        return store
