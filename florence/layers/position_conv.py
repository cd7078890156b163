"""Position encoding by a depthwise convolution around a residual path (CPVT, arXiv 2102.10882), as DaViT has it (arXiv
2204.03645, section 3.4): what a pixel's neighbours are tells where it is, at any size.
"""

from torch import Tensor, nn


class PositionConv(nn.Conv2d):
    """Adds a depthwise 3 x 3 convolution of a map to it.

    Args:
        embed_dims: Channels.
    """

    def __init__(self, embed_dims: int) -> None:
        super().__init__(embed_dims, embed_dims, 3, padding=1, groups=embed_dims)

    def forward(self, input: Tensor) -> Tensor:
        """`(B, H, W, C)` to the same shape."""
        return input + super().forward(input.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
