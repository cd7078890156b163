"""Mirror images at random; off by default, because a text may say "left" and letters do not mirror."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from florence.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomFlip(BaseTransform):
    """Mirror `img` left to right.

    Args:
        prob: Probability in `[0, 1]`.

    Raises:
        ValueError: If `prob` is out of range.
    """

    def __init__(self, prob: float = 0.0) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'prob must lie in [0, 1], not {prob}')
        self.prob = prob

    @cache_randomness
    def _draw(self) -> bool:
        return np.random.rand() < self.prob

    def transform(self, results: dict) -> dict:
        """Mirror one image, or not.

        Args:
            results: `img` `(H, W, 3)` uint8, same shape afterwards; `flip` says whether it was mirrored.
        """
        results['flip'] = self._draw()
        if results['flip']:
            results['img'] = results['img'][:, ::-1]
        return results
