"""Which tokens are the past of which beam, where the tokens of all beams of an item lie side by side and are never moved.

Axes: B items, K beams, T new tokens of a beam, S tokens so far of all beams of an item.
"""

import torch
from torch import Tensor


class BeamPast:
    """It begins with one beam per item; each step adds tokens to every beam.

    Attributes:
        length: Number of tokens that each beam holds.
    """

    def __init__(self) -> None:
        self.length = 0
        self._past: Tensor | None = None  # (B, K, S) bool

    @property
    def num_tokens(self) -> int:
        """S."""
        return 0 if self._past is None else self._past.shape[2]

    def begin(self, items: int, rows: int, num_beams: int, device: torch.device | None = None) -> Tensor:
        """Begin a step.

        Args:
            items: B.
            rows: New tokens of an item, beam after beam, K T.
            num_beams: K.
            device: Where the result is.

        Returns:
            What each new token may attend to, itself included, `(B, K T, S)` bool.
        """
        assert rows == num_beams or (self.length == 0 and num_beams == 1), 'several tokens come only as a prompt'
        # A beam does not see the new tokens of the others, a token of the prompt does not see those to come.
        own = torch.ones(rows, rows, dtype=torch.bool, device=device)
        own = own.tril() if num_beams == 1 else torch.eye(rows, dtype=torch.bool, device=device)
        past = own.new_ones(items, 1, 0) if self._past is None else self._past
        visible = torch.cat([past.expand(-1, rows, -1), own.expand(items, -1, -1)], 2)
        self._past = visible[:, -num_beams:]
        self.length += rows // num_beams
        return visible

    def keep(self, items: Tensor | None, beams: Tensor) -> None:
        """Go on with these beams.

        Args:
            items: Numbers of the items that go on, rising, `(B',)`; None = all.
            beams: Numbers of their present beams, `(B', K')`; one may occur several times.
        """
        assert self._past is not None, 'there is nothing to keep yet'
        past = self._past if items is None else self._past[items]
        self._past = past.gather(1, beams[..., None].expand(-1, -1, past.shape[2]))
