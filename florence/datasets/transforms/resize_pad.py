"""Resize that keeps the proportions of an image and pads what is left, for Florence-2 on images that are far from square."""

import numpy as np
from mmcv.transforms import BaseTransform

from florence.datasets.transforms.resize import resize_bicubic
from florence.registry import TRANSFORMS

PADDING = (124, 116, 104)
"""ImageNet's mean colour: next to nothing after normalisation."""


@TRANSFORMS.register_module()
class ResizePad(BaseTransform):
    """Resize `img` (bicubic, antialiased) until one side fits, pad the other on the right or below.

    `canvas_shape` tells `DrawTasks` and `AskTask`, which come later, how large the input is in pixels of the file.

    Args:
        height, width: New size, pixels.
    """

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width

    def transform(self, results: dict) -> dict:
        """Resize one image.

        Args:
            results: `img` `(H, W, 3)` uint8 becomes `(height, width, 3)`; `canvas_shape` `(H, W)`, floats, is added.

        Raises:
            ValueError: If the targets of the sample are written already, for the image without padding.
        """
        if 'prompt' in results:
            raise ValueError('ResizePad must come before DrawTasks or AskTask: they count places along the padded image.')
        shape = results['img'].shape[:2]
        scale = min(self.height / shape[0], self.width / shape[1])
        height, width = (max(round(scale * side), 1) for side in shape)
        padded = np.empty((self.height, self.width, 3), np.uint8)
        padded[:] = PADDING
        padded[:height, :width] = resize_bicubic(results['img'], width, height)
        results['img'] = padded
        file_height, file_width = results.get('ori_shape', shape)
        results['canvas_shape'] = (file_height * self.height / height, file_width * self.width / width)
        return results
