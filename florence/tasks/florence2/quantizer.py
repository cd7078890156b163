"""Coordinates as location tokens: 1,000 bins along each axis (arXiv 2311.06242, section 3.1).

A coordinate `v` of an axis of `size` pixels falls into bin `floor(v / (size / 1000))`, held within 0..999; a bin stands for its
middle, `(bin + 0.5) * size / 1000`. So bins survive a round trip at every size. `integers=True` cuts the middle down to whole
pixels as transformers does, in its float32 arithmetic; most bins do not survive that at sizes below 1,000 pixels.

A box `(x1, y1, x2, y2)`, a quad (4 points), a polygon and a point are all flat lists `x, y, x, y, ...`. Image sizes are
`(width, height)`, in the unit of the coordinates.
"""

import math
import re
from collections.abc import Sequence

import numpy as np

from florence.tasks.florence2.tokens import LOCATION, LOCATION_TOKENS, NUM_BINS, location_number


def quantize(coordinates: Sequence[float], image_size: tuple[float, float]) -> list[int]:
    """Bins of the coordinates; those outside the image go to the nearest bin.

    Args:
        coordinates: Flat `x, y, ...`.
        image_size: Width and height.

    Raises:
        ValueError: If the coordinates are no finite pairs, or the size is not positive.
    """
    if len(coordinates) % 2 or not all(math.isfinite(value) for value in coordinates):
        raise ValueError(f'coordinates must be finite pairs x, y, ..., got {list(coordinates)!r:.80}')
    widths = _bin_widths(image_size)
    return [math.floor(min(max(value / widths[i % 2], 0), NUM_BINS - 1)) for i, value in enumerate(coordinates)]


def dequantize(bins: Sequence[int], image_size: tuple[float, float], integers: bool = False) -> list[float]:
    """Coordinates of the middles of bins.

    Args:
        bins: Flat `x, y, ...`.
        image_size: Width and height.
        integers: Whole pixels, cut off as transformers does.

    Raises:
        ValueError: If the size is not positive.
    """
    widths = _bin_widths(image_size)
    if integers:
        return [int(np.float32(number + 0.5) * np.float32(widths[i % 2])) for i, number in enumerate(bins)]
    return [(number + 0.5) * widths[i % 2] for i, number in enumerate(bins)]


def location_text(coordinates: Sequence[float], image_size: tuple[float, float]) -> str:
    """Coordinates as location tokens, `<loc_12><loc_340>...`; see `quantize`."""
    return ''.join(LOCATION_TOKENS[number] for number in quantize(coordinates, image_size))


def location_bins(text: str) -> list[int]:
    """Bins of all location tokens in a text, in order."""
    return [location_number(token) for token in re.findall(LOCATION, text)]


def check_locations(text: str, source: str) -> None:
    """Check that what looks like a location token is one, because the others would be spelt in letters.

    Args:
        text: A prompt or target.
        source: Where it stands, for the error.

    Raises:
        ValueError: If there is another one, such as `<loc_1000>`.
    """
    for token in re.findall(r'<loc_-?[0-9]+>', text):
        if not re.fullmatch(LOCATION, token):
            raise ValueError(f'{token} in {source} is no location token: they go from <loc_0> to <loc_999>')


def check_box(box: Sequence[float], image_size: tuple[float, float], source: str) -> None:
    """Check that a part of a box is in the image.

    Args:
        box: `x1, y1, x2, y2`, finite.
        image_size: Width and height.
        source: What the box belongs to, for the error.

    Raises:
        ValueError: If it has no area, its corners are not in this order, or it lies outside the image.
    """
    x1, y1, x2, y2 = box
    width, height = image_size
    if x1 >= x2 or y1 >= y2:
        raise ValueError(f'the box of {source} must be x1, y1, x2, y2 with x1 < x2 and y1 < y2, got {list(box)}')
    if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
        raise ValueError(f'the box of {source} is {list(box)}, outside the image of {width} x {height} pixels')


def _bin_widths(image_size: tuple[float, float]) -> tuple[float, float]:
    if len(image_size) != 2 or not all(math.isfinite(size) and size > 0 for size in image_size):
        raise ValueError(f'image_size must be (width, height), both above 0, got {image_size!r}')
    return image_size[0] / NUM_BINS, image_size[1] / NUM_BINS
