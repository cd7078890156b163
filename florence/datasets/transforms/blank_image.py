"""Takes the picture away: what a model still answers, it has from the text alone."""

import numpy as np
from mmcv.transforms import BaseTransform

from florence.registry import TRANSFORMS


@TRANSFORMS.register_module()
class BlankImage(BaseTransform):
    """Replace `img` by a black image of its size, in training and evaluation: the language-only baseline of a recipe."""

    def transform(self, results: dict) -> dict:
        """Blank one sample.

        Args:
            results: `img` is `(H, W, 3)` uint8.
        """
        results['img'] = np.zeros_like(results['img'])
        return results
