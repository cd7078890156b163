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
    if len(prediction.classes) != len(prediction.probabilities):
        raise ValueError(
            f'expected one probability per class, got {len(prediction.classes)} classes and '
            f'{len(prediction.probabilities)} probabilities.'
        )
    face = font(13)
    names = [wrap(name, face, BARS_WIDTH - 46) for name in prediction.classes]
    missed = prediction.truth is not None and prediction.truth not in prediction.classes
    truth = wrap(f'true: {prediction.truth}', face, BARS_WIDTH) if missed else []
    line = line_height(face)
    text_height = sum(len(lines) * line + BAR_HEIGHT + 8 for lines in names) + len(truth) * line
    above = wrap(prediction.text, font(13, bold=True), CELL_WIDTH) if prediction.text else []
    left, top = TILE + GAP, len(above) * line
    cell = Image.new('RGB', (CELL_WIDTH, top + max(TILE, text_height)), 'white')
    draw = ImageDraw.Draw(cell)
    draw_lines(draw, (0, 0), above, font(13, bold=True))
    cell.paste(tile(prediction.image, TILE, _color(0, prediction.classes[0], prediction.truth)), (0, top))
    for rank, (name, lines) in enumerate(zip(prediction.classes, names, strict=True)):
        probability = prediction.probabilities[rank]
        color = _color(rank, name, prediction.truth)
        for text in lines:
            draw.text((left, top), text, font=face, fill=INK)
            top += line
        draw.text((left + BARS_WIDTH, top - line), f'{probability:.0%}', font=face, fill=INK, anchor='ra')
        draw.rectangle((left, top, left + BARS_WIDTH - 1, top + BAR_HEIGHT - 1), fill=BAR_GROUND)
        if filled := round(probability * BARS_WIDTH):
            draw.rectangle((left, top, left + filled - 1, top + BAR_HEIGHT - 1), fill=color)
        top += BAR_HEIGHT + 8
    for text in truth:
        draw.text((left, top), text, font=face, fill=RIGHT)
        top += line
    return cell


def _color(rank: int, name: str, truth: str | None) -> tuple[int, int, int]:
    if name == truth:
        return RIGHT
    return WRONG if rank == 0 and truth is not None else FAINT
