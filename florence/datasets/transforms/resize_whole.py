"""Evaluation view that cuts nothing off, for images whose margins matter (three boxes side by side in NLVR)."""

from mmcv.transforms import BaseTransform

from florence.datasets.transforms.resize import resize_bicubic
from florence.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ResizeWhole(BaseTransform):
    """Resize the whole of `img` (bicubic, antialiased), whatever becomes of its proportions.

    Args:
        height, width: New size, pixels.
    """

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width

    def transform(self, results: dict) -> dict:
        """Resize one image.

        Args:
            results: `img` `(H, W, 3)` uint8 becomes `(height, width, 3)`.
        """
        results['img'] = resize_bicubic(results['img'], self.width, self.height)
        return results
