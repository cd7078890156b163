"""A sheet of classified images: each with its most probable classes, or answers to a question about it, as bars."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from florence.atomic_files import atomic_path
from florence.visualization.canvas import FAINT, INK, RIGHT, WRONG, draw_lines, font, line_height, tile, wrap

MARGIN = 20
GAP = 14
TILE = 128
BARS_WIDTH = 190
CELL_WIDTH = TILE + GAP + BARS_WIDTH
BAR_HEIGHT = 8
BAR_GROUND = (232, 232, 232)


@dataclass(frozen=True)
class ClassifiedImage:
    """An image and its most probable classes.

    Attributes:
        image: `(H, W, 3)` uint8 RGB.
        classes: Names of the most probable classes, best first.
        probabilities: Probability of each of them, in [0, 1].
        truth: Name of the true class; None = not known.
        text: What stands above image and bars, such as the question that the classes answer; None = nothing.
    """

    image: np.ndarray
    classes: Sequence[str]
    probabilities: Sequence[float]
    truth: str | None = None
    text: str | None = None


def draw_classification_sheet(predictions: Sequence[ClassifiedImage], path: str | os.PathLike, *, columns: int = 3) -> None:
    """Draw each image with a bar per class: green the true class, red a wrong first guess, grey the others.

    Args:
        predictions: What to show.
        path: Picture to write; the ending gives the format.
        columns: Images side by side.

    Raises:
        ValueError: If there is nothing to show, or a prediction has not one probability per class.
    """
    if not predictions:
        raise ValueError('the sheet needs at least one prediction.')
    cells = [_cell(prediction) for prediction in predictions]
    width = max(cell.width for cell in cells)
    height = max(cell.height for cell in cells)
    columns = min(columns, len(cells))
    rows = -(-len(cells) // columns)
    sheet = Image.new('RGB', (2 * MARGIN + columns * (width + GAP) - GAP, 2 * MARGIN + rows * (height + GAP) - GAP), 'white')
    for index, cell in enumerate(cells):
        row, column = divmod(index, columns)
        sheet.paste(cell, (MARGIN + column * (width + GAP), MARGIN + row * (height + GAP)))
    with atomic_path(path) as temporary:
        sheet.save(temporary)


def _cell(prediction: ClassifiedImage) -> Image.Image:
    names, probabilities, truth = prediction.classes, prediction.probabilities, prediction.truth
    if len(names) != len(probabilities):
        raise ValueError(f'expected one probability per class, got {len(names)} classes and {len(probabilities)} probabilities.')
    above = wrap(prediction.text, font(13, bold=True), CELL_WIDTH) if prediction.text else []
    top = len(above) * line_height(font(13))
    cell = Image.new('RGB', (CELL_WIDTH, top + max(TILE, bars_height(names, truth))), 'white')
    draw = ImageDraw.Draw(cell)
    draw_lines(draw, (0, 0), above, font(13, bold=True))
    cell.paste(tile(prediction.image, TILE, guess_color(0, names[0], truth)), (0, top))
    draw_bars(draw, (TILE + GAP, top), names, probabilities, truth)
    return cell


def bars_height(names: Sequence[str], truth: str | None) -> int:
    """Height of what `draw_bars` draws, pixels."""
    face = font(13)
    lines = sum(len(wrap(name, face, BARS_WIDTH - 46)) for name in names)
    missed = len(_truth_lines(names, truth))
    return (lines + missed) * line_height(face) + len(names) * (BAR_HEIGHT + 8)


def draw_bars(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], names: Sequence[str], probabilities: Sequence[float], truth: str | None
) -> None:
    """A bar per class, `BARS_WIDTH` wide, below each other, and the true class below them where it is not among them.

    Args:
        draw: Where to draw.
        corner: The upper left one.
        names, probabilities, truth: As of `ClassifiedImage`.
    """
    face = font(13)
    line = line_height(face)
    left, top = corner
    for rank, (name, probability) in enumerate(zip(names, probabilities, strict=True)):
        for text in wrap(name, face, BARS_WIDTH - 46):
            draw.text((left, top), text, font=face, fill=INK)
            top += line
        draw.text((left + BARS_WIDTH, top - line), f'{probability:.0%}', font=face, fill=INK, anchor='ra')
        draw.rectangle((left, top, left + BARS_WIDTH - 1, top + BAR_HEIGHT - 1), fill=BAR_GROUND)
        if filled := round(probability * BARS_WIDTH):
            draw.rectangle((left, top, left + filled - 1, top + BAR_HEIGHT - 1), fill=guess_color(rank, name, truth))
        top += BAR_HEIGHT + 8
    for text in _truth_lines(names, truth):
        draw.text((left, top), text, font=face, fill=RIGHT)
        top += line


def _truth_lines(names: Sequence[str], truth: str | None) -> list[str]:
    return wrap(f'true: {truth}', font(13), BARS_WIDTH) if truth is not None and truth not in names else []


def guess_color(rank: int, name: str, truth: str | None) -> tuple[int, int, int]:
    """Green the true class, red a wrong first guess, grey the others."""
    if name == truth:
        return RIGHT
    return WRONG if rank == 0 and truth is not None else FAINT
