"""Pre-norm transformer block of CLIP's text tower (arXiv 2103.00020, section 2.4).

Axes: B batch, L tokens, D width, H heads, d = D / H.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from florence.layers.drop_path import DropPath
from florence.layers.linear import Linear
from florence.layers.mlp import Mlp
from florence.layers.norm import Fp32LayerNorm


class QuickGELU(nn.Module):
    """`x * sigmoid(1.702 x)`, the approximation the OpenAI CLIP weights were trained with."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: dict[str, type[nn.Module]] = {'gelu': nn.GELU, 'quick_gelu': QuickGELU}


class TextAttention(nn.Module):
    """Multi-head self-attention over tokens.

    Args:
        embed_dims: Width D; a multiple of `num_heads`.
        num_heads: H.
    """

    def __init__(self, embed_dims: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = Linear(embed_dims, 3 * embed_dims)
        self.proj = Linear(embed_dims, embed_dims)

    def forward(self, x: Tensor, key_mask: Tensor | None) -> Tensor:
        """Args:
            x: `(B, L, D)`.
            key_mask: `(B, 1, 1, L)` bool, True = may be attended to; None means causal attention.

        Returns:
            `(B, L, D)`.
        """
        qkv = self.qkv(x).unflatten(-1, (3, self.num_heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # 3 x (B, H, L, d)
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=key_mask, is_causal=key_mask is None)
        return self.proj(x.transpose(1, 2).flatten(2))  # (B, H, L, d) -> (B, L, D)


class TextBlock(nn.Module):
    """Attention and MLP, each after a LayerNorm and around a residual path.

    Args:
        embed_dims: Width D.
        num_heads: Attention heads.
        mlp_dims: Hidden width of the MLP.
        act: Key of `ACTIVATIONS`.
        drop_path: Rate of stochastic depth of this block.
        depth: Number of blocks of the tower; scales the initial weights.
    """

    def __init__(self, embed_dims: int, num_heads: int, mlp_dims: int, *, act: str, drop_path: float, depth: int) -> None:
        super().__init__()
        self.norm1 = Fp32LayerNorm(embed_dims)
        self.attn = TextAttention(embed_dims, num_heads)
        self.norm2 = Fp32LayerNorm(embed_dims)
        self.mlp = Mlp(embed_dims, mlp_dims, ACTIVATIONS[act])
        self.drop_path = DropPath(drop_path)
        self._init_as_clip(depth)

    def forward(self, x: Tensor, key_mask: Tensor | None) -> Tensor:
        """`(B, L, D)` -> `(B, L, D)`; `key_mask` as in `TextAttention`."""
        x = x + self.drop_path(self.attn(self.norm1(x), key_mask))
        return x + self.drop_path(self.mlp(self.norm2(x)))

    def _init_as_clip(self, depth: int) -> None:
        """Scales of CLIP: residual branches shrink with depth so that the sum of all keeps its variance."""
        width = self.attn.proj.in_features
        for linear, std in (
            (self.attn.qkv, width**-0.5),
            (self.attn.proj, width**-0.5 * (2 * depth) ** -0.5),
            (self.mlp.fc1, (2 * width) ** -0.5),
            (self.mlp.fc2, width**-0.5 * (2 * depth) ** -0.5),
        ):
            nn.init.normal_(linear.weight, std=std)
            nn.init.zeros_(linear.bias)
