"""Evaluation view as in CLIP (arXiv 2103.00020): shortest side to a size, then the central square."""

from mmcv.transforms import BaseTransform

from florence.datasets.transforms.resize import resize_bicubic
from florence.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ResizeCenterCrop(BaseTransform):
    """Resize `img` so that its shortest side is `size` pixels (bicubic, antialiased), then cut the central
    square.

    Args:
        size: Side of the square, pixels.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def transform(self, results: dict) -> dict:
        """Resize and crop one image.

        Args:
            results: `img` `(H, W, 3)` uint8 becomes `(size, size, 3)`.
        """
        img = results['img']
        height, width = img.shape[:2]
        short = min(height, width)
        new_h, new_w = self.size * height // short, self.size * width // short
        img = resize_bicubic(img, new_w, new_h)
        top, left = round((new_h - self.size) / 2), round((new_w - self.size) / 2)
        results['img'] = img[top : top + self.size, left : left + self.size]
        return results
