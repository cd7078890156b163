"""What turns a clip, or a map of one, into the next stage's tokens: convolutional embeddings with a time axis (Florence, arXiv
2111.11432, section 2.6), and merging frame by frame, as Video Swin does (arXiv 2106.13230, section 3.1).

All maps are `(B, T, H, W, C)`. In space both are those of `florence.layers.conv_embed`; in time the ends are padded with copies
of the first and last step, so that a clip whose frames are all alike gives what one frame gives.
"""

import torch
from torch import Tensor, nn

from florence.layers.conv_embed import PatchMerging, pad_to_stride
from florence.layers.norm import Fp32LayerNorm


class ConvEmbed3d(nn.Module):
    """Convolution over time and space, then LayerNorm over the output channels.

    Args:
        in_channels: Channels of the input map.
        embed_dims: Channels of the output map.
        kernel_size: Side of the kernel, at least `stride`.
        stride: Step of the convolution in space.
        time_kernel: Length of the kernel, in steps.
        time_stride: Step in time: that of the kernel (tubes that do not overlap), or 1 with an odd kernel (as many steps come
            out).

    Raises:
        ValueError: If kernel and step do not fit.
    """

    def __init__(
        self, in_channels: int, embed_dims: int, kernel_size: int, stride: int, time_kernel: int, time_stride: int = 1
    ) -> None:
        super().__init__()
        if kernel_size < stride:
            raise ValueError(f'the kernel ({kernel_size}) must cover the stride ({stride}), or pixels are skipped.')
        if time_kernel < 1 or not (time_stride == time_kernel or (time_stride == 1 and time_kernel % 2)):
            raise ValueError(
                f'in time the step must be that of the kernel, or 1 with an odd kernel, got {time_stride} and {time_kernel}.'
            )
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = (kernel_size - stride + 1) // 2
        self.time_kernel = time_kernel
        self.time_stride = time_stride
        self.proj = nn.Conv3d(
            in_channels,
            embed_dims,
            (time_kernel, kernel_size, kernel_size),
            stride=(time_stride, stride, stride),
            padding=(0, self.padding, self.padding),
        )
        self.norm = Fp32LayerNorm(embed_dims)

    def forward(self, x: Tensor) -> Tensor:
        """`(B, T, H, W, in_channels)` to `(B, ceil(T / time_stride), ceil(H / stride), ceil(W / stride), embed_dims)`."""
        x = self._extended(pad_to_stride(x, self.kernel_size, self.stride, self.padding))
        x = self.proj(x.permute(0, 4, 1, 2, 3))  # (B, embed_dims, T', H', W')
        return self.norm(x.permute(0, 2, 3, 4, 1))

    def _extended(self, x: Tensor) -> Tensor:
        """With copies of the first and last step at the ends."""
        steps = x.shape[1]
        if self.time_stride > 1:
            before, after = 0, -steps % self.time_stride
        else:
            before = after = self.time_kernel // 2
        if not before and not after:
            return x
        return x.index_select(1, torch.arange(-before, steps + after, device=x.device).clamp(0, steps - 1))


class FrameMerging(PatchMerging):
    """`PatchMerging` of each frame."""

    def forward(self, x: Tensor) -> Tensor:
        """`(B, T, H, W, in_channels)` to `(B, T, ceil(H / 2), ceil(W / 2), embed_dims)`."""
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])
