"""A sheet of attention: what the words of a text look at in an image, a row per word, a column per layer."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from florence.atomic_files import atomic_path
from florence.visualization.canvas import FAINT, draw_lines, font, line_height, tile, wrap

MARGIN = 20
GAP = 10
TILE = 128
GLOW = np.array((255, 196, 40), float)
"""Colour of what is looked at most."""
FULL = 2.0
"""Least heat that glows full, so that even attention does not."""


@dataclass(frozen=True)
class AttendedImage:
    """An image and how much each word looks at each of its pixels.

    Attributes:
        image: `(H, W, 3)` uint8 RGB.
        text: Title, such as the whole text.
        words: The W words.
        heat: `(layers, W, H, W)`, 1 = as much as if all pixels were looked at alike.
    """

    image: np.ndarray
    text: str
    words: Sequence[str]
    heat: np.ndarray


def heat_picture(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """The image in dark grey, glowing where the heat is: full at the hottest pixel, or, where none is hotter than `FULL`, there.

    Args:
        image: `(H, W, 3)` uint8 RGB.
        heat: `(H, W)`, 0 or more.

    Returns:
        `(H, W, 3)` uint8 RGB.
    """
    glow = (heat / max(float(heat.max()), FULL))[..., None]
    grey = image.mean(-1, keepdims=True) * 0.6
    return (grey * (1 - glow) + (0.35 * grey + 0.65 * GLOW) * glow).astype(np.uint8)


def draw_attention_sheet(attended: AttendedImage, path: str | os.PathLike) -> None:
    """Draw the image with its text, and below it a row per word: how it looks at the image in each layer.

    Below each tile stands how hot its hottest pixel is.

    Args:
        attended: What to show.
        path: Picture to write; the ending gives the format.

    Raises:
        ValueError: If there is no word, or the heat has another shape than words and image.
    """
    layers, words = attended.heat.shape[:2]
    if not attended.words or words != len(attended.words) or attended.heat.shape[2:] != attended.image.shape[:2]:
        raise ValueError(
            f'expected a heat of (layers, {len(attended.words)}, {", ".join(map(str, attended.image.shape[:2]))}) for '
            f'{len(attended.words)} words, one at least, got {attended.heat.shape}.'
        )
    face, small = font(15), font(12)
    columns = max(layers, 2)  # room for the title
    width = 2 * MARGIN + TILE + columns * (TILE + GAP)
    title = wrap(attended.text, font(16, bold=True), width - 2 * MARGIN - TILE - GAP)
    head = max(TILE, len(title) * line_height(font(16, bold=True)) + line_height(small)) + GAP
    row_height = TILE + line_height(small) + GAP
    sheet = Image.new('RGB', (width, 2 * MARGIN + head + words * row_height), 'white')
    draw = ImageDraw.Draw(sheet)
    sheet.paste(tile(attended.image, TILE), (MARGIN, MARGIN))
    draw_lines(draw, (MARGIN + TILE + GAP, MARGIN), title, font(16, bold=True))
    for layer in range(layers):
        left = MARGIN + TILE + GAP + layer * (TILE + GAP)
        draw.text((left, MARGIN + head - GAP - line_height(small)), f'layer {layer + 1}', font=small, fill=FAINT)
        for row in range(words):
            top, heat = MARGIN + head + row * row_height, attended.heat[layer, row]
            sheet.paste(tile(heat_picture(attended.image, heat), TILE), (left, top))
            draw.text((left, top + TILE), f'peak {heat.max():.1f}', font=small, fill=FAINT)
    for row, word in enumerate(attended.words):
        draw_lines(draw, (MARGIN, MARGIN + head + row * row_height + TILE // 3), wrap(word, face, TILE), face)
    with atomic_path(path) as temporary:
        sheet.save(temporary)
