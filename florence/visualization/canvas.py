"""Text and tiles for picture sheets: what Pillow leaves to its caller."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

INK = (34, 34, 34)
FAINT = (110, 110, 110)
RIGHT = (0, 140, 70)
WRONG = (205, 50, 40)
BORDER = 4
"""Width of a tile's frame, pixels."""


@lru_cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The font that comes with matplotlib: the same picture on every machine, in most scripts."""
    import matplotlib

    name = 'DejaVuSans-Bold.ttf' if bold else 'DejaVuSans.ttf'
    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), 'fonts', 'ttf', name)), size)


def wrap(text: str, face: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Lines of at most `width` pixels, broken at spaces, or inside a word that is wider than a line."""
    lines = ['']
    for word in text.split():
        joined = f'{lines[-1]} {word}'.strip()
        if face.getlength(joined) <= width:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append('')
        for letter in word:
            if lines[-1] and face.getlength(lines[-1] + letter) > width:
                lines.append('')
            lines[-1] += letter
    return lines


def line_height(face: ImageFont.FreeTypeFont) -> int:
    """Distance of two lines, pixels."""
    return sum(face.getmetrics()) + 2


def draw_lines(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    lines: list[str],
    face: ImageFont.FreeTypeFont,
    color: tuple[int, int, int] = INK,
) -> None:
    """Write lines below each other, the first at the upper left `corner`."""
    x, y = corner
    for index, line in enumerate(lines):
        draw.text((x, y + index * line_height(face)), line, font=face, fill=color)


def tile(image: np.ndarray, size: int, frame: tuple[int, int, int] | None = None) -> Image.Image:
    """A `size` x `size` tile with the whole image centred in it, framed if a colour is given.

    Args:
        image: `(H, W, 3)` uint8 RGB.
        size: Side of the tile, pixels.
        frame: Colour of the frame.

    Raises:
        ValueError: If `image` is not such an array.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f'expected an (H, W, 3) uint8 image, got {image.shape} of {image.dtype}.')
    inner = size - 2 * BORDER
    height, width = image.shape[:2]
    scale = inner / max(height, width)
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    # A magnified small picture should show its pixels, not a blur.
    resampling = Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.LANCZOS
    result = Image.new('RGB', (size, size), frame or 'white')
    if frame:
        result.paste((255, 255, 255), (BORDER, BORDER, size - BORDER, size - BORDER))
    corner = ((size - shape[0]) // 2, (size - shape[1]) // 2)
    result.paste(Image.fromarray(image).resize(shape, resampling), corner)
    return result
