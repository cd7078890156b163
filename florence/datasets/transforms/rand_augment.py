"""RandAugment with METER's operations (arXiv 1909.13719; METER, arXiv 2111.02387, section 4.1: N = 2, M = 9).

An operation's strength is `magnitude / 30` of its range; shears, shifts and turns go either way with equal chance. Nothing
mirrors the image: questions say "left". Translation is in pixels of the file's image, as in METER, so the step stands before the
resize. Differs from the official code in nothing but that it runs on current numpy, which has no `np.int`.
"""

import math
import random
from collections.abc import Callable

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image, ImageEnhance, ImageOps

from florence.registry import TRANSFORMS

MAX_MAGNITUDE = 30
_SOLARIZE_THRESHOLD = 128


def _affine(image: Image.Image, *rows: float) -> Image.Image:
    return image.transform(image.size, Image.Transform.AFFINE, rows)


def _either_way(value: float) -> float:
    return -value if random.random() > 0.5 else value


def _solarize_add(image: Image.Image, value: float) -> Image.Image:
    # A table of 256 values does what adding to every pixel and clipping does.
    brighter = image.point([min(level + int(value), 255) for level in range(256)] * 3)
    return ImageOps.solarize(brighter, _SOLARIZE_THRESHOLD)


Operation = Callable[[Image.Image, float], Image.Image]

OPERATIONS: dict[str, tuple[Operation, float, float]] = {
    'auto_contrast': (lambda image, _: ImageOps.autocontrast(image), 0, 1),
    'equalize': (lambda image, _: ImageOps.equalize(image), 0, 1),
    'rotate': (lambda image, value: image.rotate(_either_way(value)), 0, 30),
    'posterize': (lambda image, value: ImageOps.posterize(image, max(1, int(value))), 0, 4),
    'solarize': (lambda image, value: ImageOps.solarize(image, math.ceil(value)), 0, 256),
    'solarize_add': (_solarize_add, 0, 110),
    'color': (lambda image, value: ImageEnhance.Color(image).enhance(value), 0.1, 1.9),
    'contrast': (lambda image, value: ImageEnhance.Contrast(image).enhance(value), 0.1, 1.9),
    'brightness': (lambda image, value: ImageEnhance.Brightness(image).enhance(value), 0.1, 1.9),
    'sharpness': (lambda image, value: ImageEnhance.Sharpness(image).enhance(value), 0.1, 1.9),
    'shear_x': (lambda image, value: _affine(image, 1, _either_way(value), 0, 0, 1, 0), 0, 0.3),
    'shear_y': (lambda image, value: _affine(image, 1, 0, 0, _either_way(value), 1, 0), 0, 0.3),
    'translate_x': (lambda image, value: _affine(image, 1, 0, _either_way(value), 0, 1, 0), 0, 100),
    'translate_y': (lambda image, value: _affine(image, 1, 0, 0, 0, 1, _either_way(value)), 0, 100),
}
"""Name -> operation, and the strengths at magnitude 0 and 30."""


@TRANSFORMS.register_module()
class RandAugment(BaseTransform):
    """Apply operations drawn at random, with replacement, to `img`.

    Args:
        num_ops: Operations per image.
        magnitude: Strength, 0 to 30. For the colour operations 15 changes nothing, less weakens and more strengthens.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, num_ops: int = 2, magnitude: float = 9) -> None:
        if num_ops < 1:
            raise ValueError(f'num_ops of RandAugment must be at least 1, not {num_ops}')
        if not 0 <= magnitude <= MAX_MAGNITUDE:
            raise ValueError(f'magnitude of RandAugment must lie in [0, {MAX_MAGNITUDE}], not {magnitude}')
        self.num_ops = num_ops
        self.magnitude = magnitude

    def transform(self, results: dict) -> dict:
        """Augment one image.

        Args:
            results: `img` `(H, W, 3)` uint8, same shape afterwards.
        """
        image = Image.fromarray(np.ascontiguousarray(results['img']))
        for name in random.choices(tuple(OPERATIONS), k=self.num_ops):
            image = apply_operation(image, name, self.magnitude)
        results['img'] = np.array(image)
        return results


def apply_operation(image: Image.Image, name: str, magnitude: float) -> Image.Image:
    """One operation on an RGB image.

    Args:
        image: The image.
        name: A key of `OPERATIONS`.
        magnitude: Strength, 0 to 30.
    """
    operation, low, high = OPERATIONS[name]
    return operation(image, low + magnitude / MAX_MAGNITUDE * (high - low))
