"""RandAugment for clips: what is drawn once holds for all frames, so that nothing moves that did not move before."""

import random

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image

from florence.datasets.transforms.rand_augment import OPERATIONS, RandAugment, apply_operation
from florence.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandAugmentClip(BaseTransform):
    """Apply operations drawn at random, with replacement, to every frame of `imgs` alike.

    The operations are those of `RandAugment`; several clips of a video are augmented alike, too.

    Args:
        num_ops: Operations per video.
        magnitude: Strength, 0 to 30.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, num_ops: int = 2, magnitude: float = 9) -> None:
        limits = RandAugment(num_ops, magnitude)
        self.num_ops, self.magnitude = limits.num_ops, limits.magnitude

    def transform(self, results: dict) -> dict:
        """Augment one video.

        Args:
            results: `imgs`, list of `(H, W, 3)` uint8, same shapes afterwards.
        """
        names = random.choices(tuple(OPERATIONS), k=self.num_ops)
        # An operation draws its direction itself: each frame starts from the same state.
        state = random.getstate()
        frames = []
        for frame in results['imgs']:
            random.setstate(state)
            image = Image.fromarray(np.ascontiguousarray(frame))
            for name in names:
                image = apply_operation(image, name, self.magnitude)
            frames.append(np.array(image))
        results['imgs'] = frames
        return results
