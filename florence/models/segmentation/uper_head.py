"""UperNet's head (arXiv 1807.10221): pyramid pooling of the last map, a feature pyramid over all of them.

Names of parameters are those of mmsegmentation, whose checkpoints load.

Axes: B images, C channels of the head, K classes, H x W places of the first, largest map.
"""

from collections.abc import Sequence

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn
from torch.nn.functional import interpolate

from florence.registry import MODELS


@MODELS.register_module()
class UPerHead(nn.Module):
    """Maps of a backbone to logits of the size of the largest.

    Args:
        in_channels: Channels of each map, the largest map first.
        num_classes: K.
        channels: C.
        pool_scales: Sides of the grids that the last map is averaged to.
        drop_rate: Share of channels that are dropped before the classifier.
        norm_cfg: Normalisation of each convolution; with several devices `dict(type='SyncBN')`.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        num_classes: int,
        *,
        channels: int = 512,
        pool_scales: Sequence[int] = (1, 2, 3, 6),
        drop_rate: float = 0.1,
        norm_cfg: dict | None = None,
    ) -> None:
        super().__init__()

        def conv(width: int, kernel_size: int) -> ConvModule:
            norm = norm_cfg or dict(type='BN')
            return ConvModule(width, channels, kernel_size, padding=kernel_size // 2, norm_cfg=norm)

        *lower, last = in_channels
        self.psp_modules = nn.ModuleList(nn.Sequential(nn.AdaptiveAvgPool2d(scale), conv(last, 1)) for scale in pool_scales)
        self.bottleneck = conv(last + len(pool_scales) * channels, 3)
        self.lateral_convs = nn.ModuleList(conv(width, 1) for width in lower)
        self.fpn_convs = nn.ModuleList(conv(channels, 3) for _ in lower)
        self.fpn_bottleneck = conv(len(in_channels) * channels, 3)
        self.dropout = nn.Dropout2d(drop_rate)
        self.conv_seg = nn.Conv2d(channels, num_classes, 1)
        nn.init.normal_(self.conv_seg.weight, std=0.01)
        nn.init.zeros_(self.conv_seg.bias)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Logits `(B, K, H, W)`."""
        last = maps[-1]
        pooled = [_resized(module(last), last) for module in self.psp_modules]
        top_down = [self.bottleneck(torch.cat([last, *pooled], 1))]
        for conv, features in zip(self.lateral_convs[::-1], maps[-2::-1], strict=True):
            lateral = conv(features)
            top_down.insert(0, lateral + _resized(top_down[0], lateral))
        levels = [conv(features) for conv, features in zip(self.fpn_convs, top_down[:-1], strict=True)] + top_down[-1:]
        fused = self.fpn_bottleneck(torch.cat([_resized(level, levels[0]) for level in levels], 1))
        return self.conv_seg(self.dropout(fused))


def _resized(features: Tensor, like: Tensor) -> Tensor:
    return interpolate(features, like.shape[2:], mode='bilinear')
