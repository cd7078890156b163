"""Embeddings of regions from the last map of an image tower: one pass of the tower serves all regions.

RegionCLIP (arXiv 2112.09106) put RoIAlign in the place of the tower's global pooling. A tower whose map is normalised token by
token before it is pooled, as CoSwin's and Swin's, needs nothing more: the mean over the region goes through the tower's
projection, and a box around the whole image has the embedding of the image, up to sampling. Differs from RegionCLIP in: one bin
per region, sampled about once per cell of the map, instead of 14 x 14 bins that are averaged.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from florence.models.two_tower import TwoTower
from florence.registry import MODELS


@MODELS.register_module()
class RoIRegionEncoder(nn.Module):
    """Mean over the region of the last map, projected and normalised.

    A tower's stride is 32: what is smaller than a cell takes its embedding from that cell and the cells around. The tower's
    attention has spread the whole window over each cell as well.

    Args:
        sampling_ratio: Samples per side of a region; 0: as many as it covers cells, which makes the whole image exact.
        crop_below: Regions of less area, in square pixels of the network input, are cut out and encoded by `crop_encoder`.
        crop_encoder: Config of it, or the module; needed with `crop_below`.

    Raises:
        ValueError: If only one of `crop_below` and `crop_encoder` is given.
    """

    def __init__(self, *, sampling_ratio: int = 0, crop_below: float = 0.0, crop_encoder: dict | nn.Module | None = None) -> None:
        super().__init__()
        if (crop_below > 0) != (crop_encoder is not None):
            raise ValueError(
                'RoIRegionEncoder: crop_below (an area above 0) and crop_encoder need each other: give both or none.'
            )
        self.sampling_ratio = sampling_ratio
        self.crop_below = crop_below
        self.crop_encoder = MODELS.build(crop_encoder) if isinstance(crop_encoder, dict) else crop_encoder

    def forward(
        self, tower: TwoTower, images: Tensor, feature_map: Tensor, boxes: Sequence[Tensor], sizes: Sequence[tuple[int, int]]
    ) -> list[Tensor]:
        """L2-normalised embeddings of all boxes, `(R_i, D)` fp32 per image.

        Args:
            tower: The model whose space they lie in.
            images: Normalised and padded, `(B, 3, H, W)`.
            feature_map: The tower's last map of them, `(B, C, H', W')`.
            boxes: Per image `(R_i, 4)` xyxy, pixels of `images`.
            sizes: Per image height and width without padding.
        """
        height, width = images.shape[2:]
        # Cells per pixel; the map covers the image even where its size is no multiple of the stride.
        scale = feature_map.new_tensor([feature_map.shape[3] / width, feature_map.shape[2] / height] * 2, dtype=torch.float32)
        pooled = torchvision.ops.roi_align(
            feature_map.float(), [group.float() * scale for group in boxes], 1, sampling_ratio=self.sampling_ratio, aligned=True
        ).flatten(1)  # (sum of R_i, C, 1, 1) -> (sum of R_i, C)
        embeds = F.normalize(tower.image_proj(pooled).float(), dim=-1, eps=1e-8)
        groups = list(embeds.split([len(group) for group in boxes]))
        if self.crop_encoder is None:
            return groups
        small = [torchvision.ops.box_area(group) < self.crop_below for group in boxes]
        cut = self.crop_encoder(tower, images, feature_map, [b[s] for b, s in zip(boxes, small, strict=True)], sizes)
        for group, mask, crops in zip(groups, small, cut, strict=True):
            group[mask] = crops.to(group)
        return groups
