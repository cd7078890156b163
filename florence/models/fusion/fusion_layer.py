"""The layer of METER's fusion: self-attention, cross-attention to the other modality, MLP, each followed by a LayerNorm.

Source: METER (arXiv 2111.02387, section 3.2), the post-norm layer of BERT with cross-attention; the same arithmetic as
`torch.nn.TransformerDecoderLayer(norm_first=False)`. Keys and values are projected apart from the attention itself, so that a
decoder or a ranking of many pairs projects each text and image once.

Axes: B batch, L tokens, D width, H heads, d = D / H.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from florence.layers import Fp32LayerNorm, Linear, Mlp

KeysValues = tuple[Tensor, Tensor]


class Attention(nn.Module):
    """Multi-head attention from one sequence to another, or to itself.

    Args:
        embed_dims: Width D; a multiple of `num_heads`.
        num_heads: H.
        attn_drop_rate: Dropout of the attention weights.

    Raises:
        ValueError: If the heads do not divide the width.
    """

    def __init__(self, embed_dims: int, num_heads: int, attn_drop_rate: float = 0.0) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise ValueError(f'num_heads={num_heads} must divide embed_dims={embed_dims}.')
        self.num_heads = num_heads
        self.attn_drop_rate = attn_drop_rate
        self.query = Linear(embed_dims, embed_dims)
        self.key_value = Linear(embed_dims, 2 * embed_dims)
        self.proj = Linear(embed_dims, embed_dims)

    def keys_values(self, memory: Tensor) -> KeysValues:
        """Keys and values of a sequence, `(B, H, L, d)` each.

        Args:
            memory: What is attended to, `(B, L, D)`.
        """
        pairs = self.key_value(memory).unflatten(-1, (2, self.num_heads, -1))  # (B, L, 2, H, d)
        keys, values = pairs.permute(2, 0, 3, 1, 4)  # 2 x (B, H, L, d)
        return keys, values

    def forward(self, x: Tensor, keys_values: KeysValues, mask: Tensor | None = None) -> Tensor:
        """Attend.

        Args:
            x: `(B, L, D)`.
            keys_values: As `keys_values` returns them.
            mask: Bool, broadcasts to `(B, H, L, L_memory)`; True = may be attended to. None = everything.

        Returns:
            `(B, L, D)`.
        """
        queries = self.query(x).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)  # (B, L, D) -> (B, H, L, d)
        drop = self.attn_drop_rate if self.training else 0.0
        x = F.scaled_dot_product_attention(queries, *keys_values, attn_mask=mask, dropout_p=drop)
        return self.proj(x.transpose(1, 2).flatten(2))  # (B, H, L, d) -> (B, L, D)


class FusionLayer(nn.Module):
    """One layer of one stream.

    Args:
        embed_dims: Width D.
        num_heads: Attention heads.
        mlp_dims: Hidden width of the MLP.
        drop_rate: Dropout after each of the three parts.
        attn_drop_rate: Dropout of the attention weights.
        norm_eps: Epsilon of the LayerNorms; METER's fusion has 1e-12, not the 1e-5 of RoBERTa's own layers.
        cross_attention: Whether there is a cross-attention; merged attention has none.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mlp_dims: int,
        *,
        drop_rate: float = 0.1,
        attn_drop_rate: float = 0.1,
        norm_eps: float = 1e-12,
        cross_attention: bool = True,
    ) -> None:
        super().__init__()
        self.self_attn = Attention(embed_dims, num_heads, attn_drop_rate)
        self.self_norm = Fp32LayerNorm(embed_dims, eps=norm_eps)
        self.cross_attn = Attention(embed_dims, num_heads, attn_drop_rate) if cross_attention else None
        self.cross_norm = Fp32LayerNorm(embed_dims, eps=norm_eps) if cross_attention else None
        self.mlp = Mlp(embed_dims, mlp_dims)
        self.mlp_norm = Fp32LayerNorm(embed_dims, eps=norm_eps)
        self.drop = nn.Dropout(drop_rate)

    def forward(
        self, x: Tensor, memory: Tensor | None = None, mask: Tensor | None = None, memory_mask: Tensor | None = None
    ) -> Tensor:
        """All three parts.

        Args:
            x: This stream, `(B, L, D)`.
            memory: The other stream, `(B, L_m, D)`; None leaves the cross-attention out.
            mask, memory_mask: What of the own and of the other stream may be attended to, as for `Attention`.

        Returns:
            `(B, L, D)`.
        """
        x = self.attend_self(x, self.self_attn.keys_values(x), mask)
        if memory is not None:
            assert self.cross_attn is not None, 'a layer without cross-attention was given another stream'
            x = self.attend_cross(x, self.cross_attn.keys_values(memory), memory_mask)
        return self.transform(x)

    def attend_self(self, x: Tensor, keys_values: KeysValues, mask: Tensor | None = None) -> Tensor:
        """Self-attention with residual and norm, `(B, L, D)`."""
        return self.self_norm(x + self.drop(self.self_attn(x, keys_values, mask)))

    def attend_cross(self, x: Tensor, keys_values: KeysValues, mask: Tensor | None = None) -> Tensor:
        """Cross-attention with residual and norm, `(B, L, D)`."""
        assert self.cross_attn is not None and self.cross_norm is not None
        return self.cross_norm(x + self.drop(self.cross_attn(x, keys_values, mask)))

    def transform(self, x: Tensor) -> Tensor:
        """MLP with residual and norm, `(B, L, D)`."""
        return self.mlp_norm(x + self.drop(self.mlp(x)))
