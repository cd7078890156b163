"""What turns an image, or a map, into the next stage's tokens: CvT's convolutional embedding (arXiv
2103.15808, section 3.2), also with the norm first as in DaViT (arXiv 2204.03645), and Swin's linear patch merging
(arXiv 2103.14030, section 3.1).

All maps are `(B, H, W, C)`. Differs from the official code in: sizes that the stride does not divide are
padded with zeros at the right and bottom, so the output is `ceil(size / stride)` and no pixel is dropped.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from florence.layers.linear import Linear
from florence.layers.norm import Fp32LayerNorm


class ConvEmbed(nn.Module):
    """Convolution, then LayerNorm over the output channels; or LayerNorm over the input channels, then convolution.

    Args:
        in_channels: Channels of the input map.
        embed_dims: Channels of the output map.
        kernel_size: Side of the kernel, at least `stride`.
        stride: Step of the convolution.
        padding: Zeros at each side; None is what centres the kernel on its stride: 7/4 pads 2, 3/2 pads 1, 4/4 (the plain patch
            embedding) none.
        norm_first: Whether the LayerNorm comes before the convolution.
    """

    def __init__(
        self,
        in_channels: int,
        embed_dims: int,
        kernel_size: int,
        stride: int,
        padding: int | None = None,
        *,
        norm_first: bool = False,
    ) -> None:
        super().__init__()
        if kernel_size < stride:
            raise ValueError(f'the kernel ({kernel_size}) must cover the stride ({stride}), or pixels are skipped.')
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = (kernel_size - stride + 1) // 2 if padding is None else padding
        self.norm_first = norm_first
        self.proj = nn.Conv2d(in_channels, embed_dims, kernel_size, stride=stride, padding=self.padding)
        self.norm = Fp32LayerNorm(in_channels if norm_first else embed_dims)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, H, W, in_channels)` to `(B, ceil(H / stride), ceil(W / stride), embed_dims)`."""
        if self.norm_first:
            x = self.norm(x)
        x = pad_to_stride(x, self.kernel_size, self.stride, self.padding)
        x = self.proj(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)  # (B, H', W', embed_dims)
        return x if self.norm_first else self.norm(x)


def pad_to_stride(x: Tensor, kernel_size: int, stride: int, padding: int) -> Tensor:
    """Zeros at the bottom and right of `(..., H, W, C)`, so that a convolution gives `ceil(size / stride)`.

    Args:
        x: The map.
        kernel_size: Side of the kernel.
        stride: Step of the convolution.
        padding: What the convolution itself pads each end with.
    """
    below, right = (max(0, (-(-size // stride) - 1) * stride + kernel_size - 2 * padding - size) for size in x.shape[-3:-1])
    return F.pad(x, (0, 0, 0, right, 0, below)) if below or right else x


class PatchMerging(nn.Module):
    """Swin's downsampling: each 2x2 neighbourhood is concatenated, normalised and projected.

    Args:
        in_channels: Channels of the input map.
        embed_dims: Channels of the output map.
    """

    def __init__(self, in_channels: int, embed_dims: int) -> None:
        super().__init__()
        self.norm = Fp32LayerNorm(4 * in_channels)
        self.reduction = Linear(4 * in_channels, embed_dims, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, H, W, in_channels)` to `(B, ceil(H / 2), ceil(W / 2), embed_dims)`."""
        if x.shape[1] % 2 or x.shape[2] % 2:
            x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        x = x.unflatten(1, (-1, 2)).unflatten(3, (-1, 2))  # (B, H / 2, 2, W / 2, 2, C)
        # The official channel order counts the column of the neighbourhood before its row.
        x = x.permute(0, 1, 3, 4, 2, 5).flatten(3)  # (B, H / 2, W / 2, 4 C)
        return self.reduction(self.norm(x))
