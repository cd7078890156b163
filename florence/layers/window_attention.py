"""Multi-head self-attention inside (shifted) 2-D windows, Swin (arXiv 2103.14030, section 3.2, equation 4).

Legend: B batch, W windows of an image, h heads, N tokens of a window, d width of a head, C = h d.

Differs from the official code in: padding comes before the cyclic shift by default, as in the official *detection* code
(`shift_before_pad` gives timm's order); a map that is not larger than the window on an axis is one window on that axis,
without shift and without padding, and uses the offsets it needs from the centre of the bias table; masked logits are -inf
instead of -100; the queries, keys and values are computed on the map and cut into windows in one copy.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from florence.layers.linear import Linear

# The fused CUDA kernels place the batch on a grid axis of at most this length.
MAX_CUDA_BATCH = 65535


class WindowAttention(nn.Module):
    """Self-attention of each window of a map, with a learned bias per relative position.

    Args:
        embed_dims: C.
        num_heads: h, divides C.
        window_size: Largest side of a window.
        shifted: Whether the windows are moved by half a window.
        shift_before_pad: Shift first and pad then, as timm does. It differs only where both happen: there tokens of opposite
            borders meet in one window.
        qkv_bias: Whether queries, keys and values have a bias.
        attn_drop_rate: Dropout of the attention weights.
        proj_drop_rate: Dropout of the output.

    Raises:
        ValueError: If `num_heads` does not divide `embed_dims`, or `window_size` is not positive.
    """

    relative_position_index: Tensor

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        window_size: int,
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
        if window_size < 1:
            raise ValueError(f'window_size must be at least 1, got {window_size}.')
        self.num_heads = num_heads
        self.window_size = window_size
        self.shifted = shifted
        self.shift_before_pad = shift_before_pad
        self.attn_drop_rate = attn_drop_rate
        self.qkv = Linear(embed_dims, 3 * embed_dims, bias=qkv_bias)
        self.proj = Linear(embed_dims, embed_dims)
        self.proj_drop = nn.Dropout(proj_drop_rate) if proj_drop_rate > 0 else nn.Identity()
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window_size - 1) ** 2, num_heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.register_buffer('relative_position_index', relative_position_index(window_size), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, H, W, C)` to the same shape."""
        height, width = x.shape[1:3]
        window = (min(self.window_size, height), min(self.window_size, width))
        pad_bottom, pad_right = -height % window[0], -width % window[1]
        shift = window_shift((height, width), window) if self.shifted else (0, 0)
        if any(shift) and self.shift_before_pad:
            x = x.roll((-shift[0], -shift[1]), (1, 2))
        if pad_bottom or pad_right:
            x = F.pad(x, (0, 0, 0, pad_right, 0, pad_bottom))
        if any(shift) and not self.shift_before_pad:
            x = x.roll((-shift[0], -shift[1]), (1, 2))

        bias = self.position_bias(window)  # (h, N, N)
        if any(shift):
            mask = shift_mask((x.shape[1], x.shape[2]), window, shift, x.device)  # (W, N, N)
            bias = bias.masked_fill(mask[:, None], float('-inf'))  # (W, h, N, N)
        x = self._attend(self.qkv(x), bias, window)
        if any(shift) and not self.shift_before_pad:
            x = x.roll(shift, (1, 2))
        if pad_bottom or pad_right:
            x = x[:, :height, :width]
        if any(shift) and self.shift_before_pad:
            x = x.roll(shift, (1, 2))
        return self.proj_drop(self.proj(x))

    def position_bias(self, window: tuple[int, int]) -> Tensor:
        """The bias of each pair of tokens of a `window` no larger than `window_size`, `(h, N, N)`."""
        index = self.relative_position_index[: window[0], : window[1], : window[0], : window[1]]
        num_tokens = window[0] * window[1]
        # index_select, because the gradient of plain indexing sorts its indices
        bias = self.relative_position_bias_table.index_select(0, index.reshape(-1))
        return bias.view(num_tokens, num_tokens, -1).permute(2, 0, 1)

    def _attend(self, qkv: Tensor, bias: Tensor, window: tuple[int, int]) -> Tensor:
        """Attention of each window of a map of queries, keys and values.

        Args:
            qkv: `(B, H, W, 3 C)`, sides that are multiples of `window`.
            bias: `(h, N, N)`, or `(W, h, N, N)` when it differs from window to window.
            window: Rows and columns of a window.

        Returns:
            `(B, H, W, C)`.
        """
        batch, height, width, _ = qkv.shape
        rows, cols = height // window[0], width // window[1]
        qkv = qkv.view(batch, rows, window[0], cols, window[1], 3, self.num_heads, -1)
        qkv = qkv.permute(5, 0, 1, 3, 6, 2, 4, 7)  # (3, B, rows, cols, h, window, window, d)
        # Windows whose bias differs count as heads, so that the bias is never repeated over the batch.
        bias = bias.reshape(-1, *bias.shape[-2:])  # (K, N, N)
        qkv = qkv.reshape(3, -1, bias.shape[0], bias.shape[1], qkv.shape[-1])  # (3, B W h / K, K, N, d)
        query, key, value = qkv.unbind(0)
        out = biased_attention(query, key, value, bias, self.attn_drop_rate if self.training else 0.0)
        out = out.view(batch, rows, cols, self.num_heads, window[0], window[1], -1)
        return out.permute(0, 1, 4, 2, 5, 3, 6).reshape(batch, height, width, -1)


def biased_attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, drop_rate: float = 0.0) -> Tensor:
    """Scaled dot-product attention with an additive bias; logits and softmax in float32 or wider.

    Args:
        query, key, value: `(G, K, N, d)`.
        bias: `(K, N, N)`, broadcast over G.
        drop_rate: Dropout of the weights, in `[0, 1)`.

    Returns:
        `(G, K, N, d)`.
    """
    if query.is_cuda:
        return attention_in_batches(query, key, value, bias.to(query.dtype)[None], drop_rate)
    # The CPU kernel of scaled_dot_product_attention has no gradient for the bias.
    logits = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
    wide = torch.promote_types(logits.dtype, torch.float32)
    weights = logits.to(wide).add_(bias.to(wide)).softmax(-1).to(value.dtype)
    if drop_rate > 0:
        weights = F.dropout(weights, drop_rate)
    return weights @ value


def attention_in_batches(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None, drop_rate: float = 0.0) -> Tensor:
    """`scaled_dot_product_attention` of batches of any length.

    Args:
        query, key, value: `(G, h, N, d)`.
        bias: Added to the logits, `(1, h, N, N)`.
        drop_rate: Dropout of the weights, in `[0, 1)`.

    Returns:
        `(G, h, N, d)`.
    """
    if not query.is_cuda or len(query) <= MAX_CUDA_BATCH:
        return F.scaled_dot_product_attention(query, key, value, bias, dropout_p=drop_rate)
    parts = zip(query.split(MAX_CUDA_BATCH), key.split(MAX_CUDA_BATCH), value.split(MAX_CUDA_BATCH), strict=True)
    return torch.cat([F.scaled_dot_product_attention(*part, bias, dropout_p=drop_rate) for part in parts])


def window_shift(size: tuple[int, int], window: tuple[int, int]) -> tuple[int, int]:
    """Cyclic shift of each axis: half a window, or none where the whole axis is one window."""
    down, right = (side // 2 if length > side else 0 for length, side in zip(size, window, strict=True))
    return down, right


def shift_mask(
    size: tuple[int, int], window: tuple[int, int], shift: tuple[int, int], device: torch.device | None = None
) -> Tensor:
    """Which pairs of a shifted window must not attend: those from different borders of the map.

    Args:
        size: Height and width of the padded map.
        window: Height and width of a window.
        shift: Rows and columns by which the map was rolled.
        device: Where the mask is made.

    Returns:
        Boolean `(W, N, N)`, true = masked.
    """
    regions = torch.zeros(size, dtype=torch.long, device=device)
    for axis, (length, moved) in enumerate(zip(size, shift, strict=True)):
        wrapped = (torch.arange(length, device=device) >= length - moved).long()
        regions = regions + (axis + 1) * (wrapped[:, None] if axis == 0 else wrapped)
    rows, cols = size[0] // window[0], size[1] // window[1]
    regions = regions.view(rows, window[0], cols, window[1]).transpose(1, 2).reshape(rows * cols, -1)  # (W, N)
    return regions[:, :, None] != regions[:, None, :]


def relative_position_index(window_size: int) -> Tensor:
    """Row of the bias table for each query and key position, `(w, w, w, w)`: query row, column, key row,
    column."""
    offsets = torch.arange(window_size)
    offsets = offsets[:, None] - offsets[None, :] + window_size - 1  # (w, w), 0 .. 2 w - 2
    return offsets[:, None, :, None] * (2 * window_size - 1) + offsets[None, :, None, :]


def resize_bias_table(table: Tensor, window_size: int) -> Tensor:
    """Bicubic resizing of a relative position bias table to another window size, as official Swin fine-tuning
    does.

    Args:
        table: `((2 w - 1) ** 2, h)`.
        window_size: New window size.

    Returns:
        `((2 window_size - 1) ** 2, h)`, of the same dtype.

    Raises:
        ValueError: If the table's length is no square of an odd number.
    """
    length, num_heads = table.shape
    side = round(length**0.5)
    if side * side != length or side % 2 == 0:
        raise ValueError(f'a relative position bias table has (2 window - 1) ** 2 rows, got {length}.')
    grid = table.float().T.view(1, num_heads, side, side)
    target = 2 * window_size - 1
    grid = F.interpolate(grid, size=(target, target), mode='bicubic', align_corners=False)
    return grid.view(num_heads, target * target).T.to(table.dtype).contiguous()
