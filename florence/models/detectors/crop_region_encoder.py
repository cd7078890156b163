"""Embeddings of regions by cutting each out and passing it through the image tower: the literal reading of "classify proposals".

Two crops per region, the box itself and one with half as much again around it, whose normalised embeddings are averaged (ViLD,
arXiv 2104.13921, section 3.2). Costs a pass of the tower per crop, hundreds per image: the accuracy that the cheap way is held
against. Crops are taken from the network input, so that they are no sharper than it is.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from florence.models.two_tower import TwoTower
from florence.registry import MODELS


@MODELS.register_module()
class CropRegionEncoder(nn.Module):
    """The tower's embedding of the pixels of a region.

    Args:
        image_size: Side to which crops are resized, their shape given up: that of the tower's training.
        contexts: Sides of the crops over those of the box; crops end at the border of the image.
        batch_size: Crops that pass the tower at a time.
    """

    def __init__(self, *, image_size: int = 224, contexts: Sequence[float] = (1.0, 1.5), batch_size: int = 64) -> None:
        super().__init__()
        self.image_size = image_size
        self.contexts = tuple(contexts)
        self.batch_size = batch_size

    def forward(
        self, tower: TwoTower, images: Tensor, feature_map: Tensor, boxes: Sequence[Tensor], sizes: Sequence[tuple[int, int]]
    ) -> list[Tensor]:
        """L2-normalised embeddings of all boxes, `(R_i, D)` fp32 per image.

        Args:
            tower: The model whose space they lie in.
            images: Normalised and padded, `(B, 3, H, W)`.
            feature_map: Not needed: part of the call because other encoders live from it.
            boxes: Per image `(R_i, 4)` xyxy, pixels of `images`.
            sizes: Per image height and width without padding, where crops end.
        """
        places = [
            (index, window)
            for index, group in enumerate(boxes)
            for box in group.tolist()
            for window in (crop_window(box, context, sizes[index]) for context in self.contexts)
        ]
        blocks = []
        for start in range(0, len(places), self.batch_size):
            crops = [self._crop(images[index], window) for index, window in places[start : start + self.batch_size]]
            blocks.append(tower.encode_image(torch.cat(crops)))
        embeds = torch.cat(blocks) if blocks else images.new_zeros(0, tower.image_proj.out_features)
        embeds = embeds.unflatten(0, (-1, len(self.contexts))).mean(1)  # (R * contexts, D) -> (R, D)
        return list(F.normalize(embeds, dim=-1, eps=1e-8).split([len(group) for group in boxes]))

    def _crop(self, image: Tensor, window: tuple[int, int, int, int]) -> Tensor:
        left, top, right, bottom = window
        crop = image[None, :, top:bottom, left:right]
        size = (self.image_size, self.image_size)
        return crop if crop.shape[2:] == size else F.interpolate(crop, size, mode='bicubic', antialias=True)


def crop_window(box: Sequence[float], context: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Whole pixels that hold a widened box: left, top, right, bottom, the last two exclusive; at least one pixel, in the image.

    Args:
        box: xyxy.
        context: Factor on its sides, about its centre.
        size: Height and width of the image.
    """
    (left, right), (top, bottom) = (
        _interval(box[axis], box[axis + 2], context, size[1 - axis]) for axis in (0, 1)
    )  # fmt: skip
    return left, top, right, bottom


def _interval(low: float, high: float, context: float, length: int) -> tuple[int, int]:
    grown = (high - low) * (context - 1) / 2
    start = min(max(math.floor(low - grown), 0), length - 1)
    return start, min(max(math.ceil(high + grown), start + 1), length)
