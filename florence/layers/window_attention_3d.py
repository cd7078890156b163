"""Multi-head self-attention inside (shifted) windows of space and time, Video Swin (arXiv 2106.13230, section 3.2).

Legend: B batch, h heads, N tokens of a window, d width of a head, C = h d.

A window that a cyclic shift sends around the border consists of parts that must not see each other. Here the clip is never
rolled: those parts are windows of their own, smaller ones at the borders, so that there is nothing to mask and less to compute.

Space is treated as in `florence.layers.window_attention`, so that frames that are all alike give what the image tower gives.
Differs from the official code in: time is not padded, there the padding is attended to; a window that a small map shrinks keeps
the true offsets of the bias table, there it takes wrong ones.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from florence.layers.chunked_attention import chunked_attention
from florence.layers.linear import Linear
from florence.layers.window_attention import biased_attention

Size = tuple[int, int, int]
Run = tuple[int, int]
"""Length of a stretch of an axis, and the side of the windows that it is cut into."""


class WindowAttention3d(nn.Module):
    """Self-attention of each window of a clip, with a learned bias per relative position.

    Args:
        embed_dims: C.
        num_heads: h, divides C.
        window_size: Largest window: time steps, rows, columns.
        shifted: Whether the windows are moved by half a window on each axis.
        shift_before_pad: Order of the two in space; see `WindowAttention`.
        qkv_bias: Whether queries, keys and values have a bias.
        attn_drop_rate: Dropout of the attention weights.
        proj_drop_rate: Dropout of the output.

    Raises:
        ValueError: If `num_heads` does not divide `embed_dims`, or `window_size` is not three positive numbers.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        window_size: Size,
        *,
        shifted: bool = False,
        shift_before_pad: bool = False,
        qkv_bias: bool = True,
        attn_drop_rate: float = 0.0,
        proj_drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise ValueError(f'embed_dims ({embed_dims}) must be a multiple of num_heads ({num_heads}).')
        if len(window_size) != 3 or min(window_size) < 1:
            raise ValueError(f'window_size must be three numbers of at least 1 (time, rows, columns), got {window_size}.')
        self.num_heads = num_heads
        self.window_size: Size = (window_size[0], window_size[1], window_size[2])
        self.shifted = shifted
        self.shift_before_pad = shift_before_pad
        self.attn_drop_rate = attn_drop_rate
        self.qkv = Linear(embed_dims, 3 * embed_dims, bias=qkv_bias)
        self.proj = Linear(embed_dims, embed_dims)
        self.proj_drop = nn.Dropout(proj_drop_rate) if proj_drop_rate > 0 else nn.Identity()
        num_offsets = 1
        for side in self.window_size:
            num_offsets *= 2 * side - 1
        self.relative_position_bias_table = nn.Parameter(torch.zeros(num_offsets, num_heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, T, H, W, C)` to the same shape."""
        size = (x.shape[1], x.shape[2], x.shape[3])
        window = fitting_window(self.window_size, size)
        shift = window_shift(size, window) if self.shifted else (0, 0, 0)
        roll = shift[1:] if self.shift_before_pad and any(shift[1:]) else None
        if roll:
            x = x.roll((-roll[0], -roll[1]), (2, 3))
        below, right = -size[1] % window[1], -size[2] % window[2]
        if below or right:
            x = F.pad(x, (0, 0, 0, right, 0, below))
        runs = [
            axis_runs(length, side, moved, rolled=roll is not None and axis > 0)
            for axis, (length, side, moved) in enumerate(zip(x.shape[1:4], window, shift, strict=True))
        ]
        x = self._attend_runs(self.qkv(x), runs, (), {})
        if below or right:
            x = x[:, :, : size[1], : size[2]]
        if roll:
            x = x.roll(roll, (2, 3))
        return self.proj_drop(self.proj(x))

    def position_bias(self, window: Size) -> Tensor:
        """The bias of each pair of tokens of a `window` no larger than `window_size`, `(h, N, N)`."""
        index = relative_position_index_3d(window, self.window_size, self.relative_position_bias_table.device)
        # index_select, because the gradient of plain indexing sorts its indices
        bias = self.relative_position_bias_table.t().contiguous().index_select(1, index.flatten())
        return bias.view(-1, *index.shape)

    def _attend_runs(self, qkv: Tensor, runs: list[list[Run]], window: tuple[int, ...], biases: dict[tuple, Tensor]) -> Tensor:
        """Attention of each window of a map of queries, keys and values.

        Args:
            qkv: `(B, T, H, W, 3 C)`.
            runs: Of each axis.
            window: Sides along the axes that lie behind; of as many axes is `qkv` one run.
            biases: `position_bias` of the windows met so far.

        Returns:
            `(B, T, H, W, C)`.
        """
        axis = len(window)
        if axis == len(runs):
            return self._attend(qkv, window, biases)  # type: ignore[arg-type]
        parts = qkv.split([length for length, _ in runs[axis]], axis + 1)
        outs = [self._attend_runs(part, runs, (*window, side), biases) for part, (_, side) in zip(parts, runs[axis], strict=True)]
        return outs[0] if len(outs) == 1 else torch.cat(outs, axis + 1)

    def _attend(self, qkv: Tensor, window: Size, biases: dict[tuple, Tensor]) -> Tensor:
        """Attention of each `window` of a map that they fill, as `_attend_runs`."""
        if window not in biases:
            biases[window] = self.position_bias(window)
        batch, *size, width = qkv.shape
        steps, rows, cols = (length // side for length, side in zip(size, window, strict=True))
        dims = width // 3 // self.num_heads
        qkv = qkv.unflatten(1, (steps, -1)).unflatten(3, (rows, -1)).unflatten(5, (cols, -1))
        qkv = qkv.unflatten(-1, (3, self.num_heads, dims))  # (B, steps, t, rows, h, cols, w, 3, h, d)
        qkv = qkv.permute(7, 0, 1, 3, 5, 8, 2, 4, 6, 9)  # (3, B, steps, rows, cols, h, *window, d)
        qkv = qkv.reshape(3, -1, self.num_heads, window[0] * window[1] * window[2], dims)  # (3, G, h, N, d)
        query, key, value = qkv.unbind(0)
        out = _attention(query, key, value, biases[window], self.attn_drop_rate if self.training else 0.0)
        out = out.view(batch, steps, rows, cols, self.num_heads, *window, dims)
        return out.permute(0, 1, 5, 2, 6, 3, 7, 4, 8).reshape(batch, *size, -1)


def _attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, drop_rate: float) -> Tensor:
    traced = torch.compiler.is_compiling() or torch.jit.is_tracing()
    one_dtype = query.dtype == bias.dtype and query.dtype.itemsize >= 4
    if query.device.type == 'cpu' and one_dtype and not traced and not drop_rate and not torch.is_autocast_enabled('cpu'):
        return chunked_attention(query, key, value, bias)
    return biased_attention(query, key, value, bias, drop_rate)


def fitting_window(window: Size, size: Size) -> Size:
    """A window cut to a map: an axis that is not larger than the window is one window."""
    time, rows, cols = (min(side, length) for side, length in zip(window, size, strict=True))
    return time, rows, cols


def window_shift(size: Size, window: Size) -> Size:
    """Cyclic shift of each axis: half a window, or none where the whole axis is one window."""
    time, down, right = (side // 2 if length > side else 0 for length, side in zip(size, window, strict=True))
    return time, down, right


def axis_runs(length: int, side: int, shift: int, *, rolled: bool = False) -> list[Run]:
    """How an axis is cut into windows.

    Args:
        length: Of the axis.
        side: Of a window; those at the ends may be smaller.
        shift: Where the second window starts, if not 0.
        rolled: Whether the axis has been rolled by `shift` already, so that its last `shift` places are a window of their own.

    Returns:
        Stretches of windows that are alike, in order; their lengths are those of the axis.
    """
    if rolled and shift:
        return [*axis_runs(length - shift, side, 0), (shift, shift)]
    whole, rest = divmod(length - shift, side)
    runs = [(shift, shift), (whole * side, side), (rest, rest)]
    return [run for run in runs if run[0]]


def relative_position_index_3d(window: Size, table_window: Size, device: torch.device | None = None) -> Tensor:
    """Row of the bias table for each query and key of a window, `(N, N)`.

    Args:
        window: Time steps, rows and columns, none larger than those of `table_window`.
        table_window: The window that the table is made for.
        device: Where the index is made.
    """
    index = torch.zeros((), dtype=torch.long, device=device)
    for axis, (side, table_side) in enumerate(zip(window, table_window, strict=True)):
        place = torch.arange(side, device=device)
        offset = place[:, None] - place[None, :] + table_side - 1  # (side, side)
        shape = [1] * 6
        shape[axis] = shape[axis + 3] = side
        index = index * (2 * table_side - 1) + offset.view(shape)
    return index.flatten(3).flatten(0, 2)
