"""The block of DaViT (arXiv 2204.03645, section 3): attention within windows, then attention between channels."""

from torch import Tensor, nn

from florence.layers import DropPath, Fp32LayerNorm, Mlp, PositionConv

MLP_RATIO = 4


class AttentionBlock(nn.Module):
    """Attention and MLP, each after a position encoding and a LayerNorm and around a residual path.

    Args:
        attention: Attention of a map.
        embed_dims: Channels.
        drop_path: Rate of stochastic depth.
    """

    def __init__(self, attention: nn.Module, embed_dims: int, drop_path: float) -> None:
        super().__init__()
        self.conv1 = PositionConv(embed_dims)
        self.norm1 = Fp32LayerNorm(embed_dims)
        self.attn = attention
        self.conv2 = PositionConv(embed_dims)
        self.norm2 = Fp32LayerNorm(embed_dims)
        self.mlp = Mlp(embed_dims, MLP_RATIO * embed_dims)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, H, W, C)` to the same shape."""
        x = self.conv1(x)
        x = x + self.drop_path(self.attn(self.norm1(x)))
        x = self.conv2(x)
        return x + self.drop_path(self.mlp(self.norm2(x)))


class DualAttentionBlock(nn.Module):
    """A block within windows, then one between channels.

    Args:
        spatial_block: The first.
        channel_block: The second.
    """

    def __init__(self, spatial_block: AttentionBlock, channel_block: AttentionBlock) -> None:
        super().__init__()
        self.spatial_block = spatial_block
        self.channel_block = channel_block

    def forward(self, x: Tensor) -> Tensor:
        """`(B, H, W, C)` to the same shape."""
        return self.channel_block(self.spatial_block(x))
