"""The block of CoSwin, of images and videos alike: that of Swin (arXiv 2103.14030, section 3.2)."""

from torch import Tensor, nn

from florence.layers import DropPath, Fp32LayerNorm, Mlp


class CoSwinBlock(nn.Module):
    """Window attention and MLP, each after a LayerNorm and around a residual path.

    Args:
        attention: Attention within the windows of a map.
        embed_dims: Channels.
        mlp_ratio: Hidden width of the MLP over `embed_dims`.
        drop_path: Rate of stochastic depth.
        drop_rate: Dropout after the MLP's projections.
    """

    def __init__(self, attention: nn.Module, embed_dims: int, mlp_ratio: float, drop_path: float, drop_rate: float) -> None:
        super().__init__()
        self.norm1 = Fp32LayerNorm(embed_dims)
        self.attn = attention
        self.norm2 = Fp32LayerNorm(embed_dims)
        self.mlp = Mlp(embed_dims, int(embed_dims * mlp_ratio), drop_rate=drop_rate)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """A map to one of the same shape."""
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))
