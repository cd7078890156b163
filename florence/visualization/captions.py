"""A sheet of images with their captions, and the reference captions where there are some."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from florence.atomic_files import atomic_path
from florence.visualization.canvas import FAINT, INK, RIGHT, WRONG, draw_lines, font, line_height, tile, wrap

MARGIN = 20
GAP = 14
TILE = 160
TEXT_WIDTH = 260
MAX_REFERENCES = 3


@dataclass(frozen=True)
class CaptionedImage:
    """An image and the caption that a model wrote.

    Attributes:
        image: `(H, W, 3)` uint8 RGB.
        caption: The caption; may be empty.
        references: Captions of people; empty = not known.
        is_right: Whether the caption is right, where that can be said: green or red; None = it cannot.
    """

    image: np.ndarray
    caption: str
    references: Sequence[str] = ()
    is_right: bool | None = None


def draw_caption_sheet(captioned: Sequence[CaptionedImage], path: str | os.PathLike, *, columns: int = 2) -> None:
    """Draw each image with its caption, and at most three references below it in grey; of more, the number is said.

    Args:
        captioned: What to show.
        path: Picture to write; the ending gives the format.
        columns: Images side by side.

    Raises:
        ValueError: If there is nothing to show, or an image is not RGB.
    """
    if not captioned:
        raise ValueError('the sheet needs at least one image.')
    cells = [_cell(item) for item in captioned]
    columns = min(columns, len(cells))
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    width = 2 * MARGIN + columns * (cells[0].width + GAP) - GAP
    sheet = Image.new('RGB', (width, 2 * MARGIN + sum(max(cell.height for cell in row) + GAP for row in rows) - GAP), 'white')
    top = MARGIN
    for row in rows:
        for column, cell in enumerate(row):
            sheet.paste(cell, (MARGIN + column * (cell.width + GAP), top))
        top += max(cell.height for cell in row) + GAP
    with atomic_path(path) as temporary:
        sheet.save(temporary)


def _cell(item: CaptionedImage) -> Image.Image:
    face, small = font(15), font(12)
    color = {True: RIGHT, False: WRONG, None: FAINT}[item.is_right]
    caption = wrap(item.caption or '(empty)', face, TEXT_WIDTH)
    references = [line for text in item.references[:MAX_REFERENCES] for line in wrap(f'\N{BULLET} {text}', small, TEXT_WIDTH)]
    if len(item.references) > MAX_REFERENCES:
        references.append(f'and {len(item.references) - MAX_REFERENCES} more')
    text_height = len(caption) * line_height(face) + (GAP // 2) + len(references) * line_height(small)
    cell = Image.new('RGB', (TILE + GAP + TEXT_WIDTH, max(TILE, text_height)), 'white')
    draw = ImageDraw.Draw(cell)
    cell.paste(tile(item.image, TILE, color), (0, 0))
    left = TILE + GAP
    draw_lines(draw, (left, 0), caption, face, INK if item.caption else FAINT)
    draw_lines(draw, (left, len(caption) * line_height(face) + GAP // 2), references, small, FAINT)
    return cell
