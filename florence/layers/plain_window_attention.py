"""Multi-head self-attention inside windows that are neither shifted nor biased, DaViT (arXiv 2204.03645, section 3.2).

Legend: B batch, N tokens of a window, h heads, d width of a head, C = h d.

All windows have the same size: maps that it does not divide are padded with zeros at the right and bottom, and the padded tokens
take part, as in the official code.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from florence.layers.in_parts import in_parts
from florence.layers.linear import Linear
from florence.layers.window_attention import attention_in_batches


class PlainWindowAttention(nn.Module):
    """Self-attention of each window of a map.

    Args:
        embed_dims: C.
        num_heads: h, divides C.
        window_size: Side of a window.

    Raises:
        ValueError: If `num_heads` does not divide `embed_dims`, or `window_size` is not positive.
    """

    def __init__(self, embed_dims: int, num_heads: int, window_size: int) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise ValueError(f'embed_dims ({embed_dims}) must be a multiple of num_heads ({num_heads}).')
        if window_size < 1:
            raise ValueError(f'window_size must be at least 1, got {window_size}.')
        self.num_heads = num_heads
        self.window_size = window_size
        self.qkv = Linear(embed_dims, 3 * embed_dims)
        self.proj = Linear(embed_dims, embed_dims)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, H, W, C)` to the same shape."""
        height, width = x.shape[1:3]
        side = self.window_size
        below, right = -height % side, -width % side
        if below or right:
            x = F.pad(x, (0, 0, 0, right, 0, below))
        x = x.unflatten(1, (-1, side)).unflatten(3, (-1, side)).transpose(2, 3)  # (B, rows, cols, side, side, C)
        windows = x.reshape(-1, side * side, x.shape[-1])
        out = in_parts(self._attend, windows, 3 * windows[0].numel())
        out = out.view(x.shape).transpose(2, 3).flatten(3, 4).flatten(1, 2)  # (B, H, W, C)
        return out[:, :height, :width] if below or right else out

    def _attend(self, windows: Tensor) -> Tensor:
        """`(G, N, C)` to the same shape."""
        qkv = self.qkv(windows).unflatten(-1, (3, self.num_heads, -1))
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (G, h, N, d) each
        out = attention_in_batches(query, key, value).transpose(1, 2).reshape(windows.shape)
        return self.proj(out)
