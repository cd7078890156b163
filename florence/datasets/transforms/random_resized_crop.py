"""Random crop of nearly the whole image, resized: the only augmentation of image-text pairs.

The paper (arXiv 2111.11432) names no augmentation. Following CLIP's practice a crop keeps 90 to 100 % of the
area, so that the text still describes what is seen; for class labels 8 to 100 % (Inception crops) is usual.
"""

import math

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from florence.datasets.transforms.resize import resize_bicubic
from florence.registry import TRANSFORMS

MAX_TRIES = 10


@TRANSFORMS.register_module()
class RandomResizedCrop(BaseTransform):
    """Crop a random part of `img` and resize it (bicubic, antialiased).

    Args:
        scale: Size of the result in pixels, one side or `(width, height)`.
        crop_scale: Smallest and largest share of the area that a crop keeps, in `(0, 1]`.
        aspect_ratio: Smallest and largest width / height of a crop.

    Raises:
        ValueError: If a range is empty or out of bounds.
    """

    def __init__(
        self,
        scale: int | tuple[int, int],
        *,
        crop_scale: tuple[float, float] = (0.9, 1.0),
        aspect_ratio: tuple[float, float] = (3 / 4, 4 / 3),
    ) -> None:
        if not 0 < crop_scale[0] <= crop_scale[1] <= 1:
            raise ValueError(f'crop_scale must be a range within (0, 1], not {crop_scale}')
        if not 0 < aspect_ratio[0] <= aspect_ratio[1]:
            raise ValueError(f'aspect_ratio must be a range of positive numbers, not {aspect_ratio}')
        self.width, self.height = (scale, scale) if isinstance(scale, int) else scale
        self.crop_scale = crop_scale
        self.aspect_ratio = aspect_ratio

    @cache_randomness
    def _random_box(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Top, left, height and width of a crop, pixels; the largest central one where no random one fits."""
        for _ in range(MAX_TRIES):
            area = height * width * np.random.uniform(*self.crop_scale)
            ratio = math.exp(np.random.uniform(math.log(self.aspect_ratio[0]), math.log(self.aspect_ratio[1])))
            crop_w, crop_h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < crop_w <= width and 0 < crop_h <= height:
                top = np.random.randint(height - crop_h + 1)
                left = np.random.randint(width - crop_w + 1)
                return top, left, crop_h, crop_w
        crop_w = min(width, max(1, round(height * self.aspect_ratio[1])))
        crop_h = min(height, max(1, round(width / self.aspect_ratio[0])))
        return (height - crop_h) // 2, (width - crop_w) // 2, crop_h, crop_w

    def transform(self, results: dict) -> dict:
        """Crop and resize one image.

        Args:
            results: `img` `(H, W, 3)` uint8 becomes `(height, width, 3)`.
        """
        img = results['img']
        top, left, crop_h, crop_w = self._random_box(*img.shape[:2])
        crop = img[top : top + crop_h, left : left + crop_w]
        results['img'] = resize_bicubic(crop, self.width, self.height)
        return results
