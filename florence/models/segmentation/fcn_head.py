"""A few convolutions over one map (arXiv 1411.4038), the auxiliary head of UperNet in mmsegmentation, whose names it keeps."""

from collections.abc import Sequence

from mmcv.cnn import ConvModule
from torch import Tensor, nn

from florence.registry import MODELS


@MODELS.register_module()
class FCNHead(nn.Module):
    """One of the maps of a backbone to logits of its size.

    Args:
        in_channels: Channels of each map.
        num_classes: Number of classes K.
        in_index: Which map is read.
        channels: Channels of the convolutions.
        num_convs: How many there are, 3 x 3 each.
        drop_rate: Share of channels that are dropped before the classifier.
        norm_cfg: Normalisation of each convolution; with several devices `dict(type='SyncBN')`.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        num_classes: int,
        *,
        in_index: int = 2,
        channels: int = 256,
        num_convs: int = 1,
        drop_rate: float = 0.1,
        norm_cfg: dict | None = None,
    ) -> None:
        super().__init__()
        self.in_index = in_index
        widths = [in_channels[in_index], *[channels] * num_convs]
        self.convs = nn.Sequential(
            *(ConvModule(old, new, 3, padding=1, norm_cfg=norm_cfg or dict(type='BN')) for old, new in zip(widths, widths[1:]))
        )
        self.dropout = nn.Dropout2d(drop_rate)
        self.conv_seg = nn.Conv2d(widths[-1], num_classes, 1)
        nn.init.normal_(self.conv_seg.weight, std=0.01)
        nn.init.zeros_(self.conv_seg.bias)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Logits `(B, K, H_i, W_i)`."""
        return self.conv_seg(self.dropout(self.convs(maps[self.in_index])))
