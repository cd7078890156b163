"""Boxes on pictures: one picture with its detections, and a sheet of several with the truth beside them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from florence.atomic_files import atomic_path
from florence.visualization.canvas import FAINT, INK, draw_lines, font, line_height, wrap
from florence.visualization.class_colors import Color, class_colors

MARGIN = 20
GAP = 14
SMALLEST = 320
"""Longest side, pixels, to which smaller pictures are magnified: labels are unreadable below."""


@dataclass(frozen=True)
class BoxSet:
    """Boxes with names; detections have scores too.

    Attributes:
        boxes: `(N, 4)` xyxy, pixels of the picture.
        names: N class names.
        scores: N scores in [0, 1]; None for the truth.

    Raises:
        ValueError: If the numbers of boxes, names and scores differ.
    """

    boxes: Sequence[Sequence[float]] | np.ndarray
    names: Sequence[str]
    scores: Sequence[float] | np.ndarray | None = None

    def __post_init__(self) -> None:
        numbers = [len(part) for part in (self.boxes, self.names, self.scores) if part is not None]
        if len(set(numbers)) > 1:
            raise ValueError(f'a set of boxes needs a name, and a score if there are any, for each box, got {numbers} of them.')


@dataclass(frozen=True)
class DetectionPanel:
    """A row of the sheet: one picture, its detections, and what they should have been.

    Attributes:
        image: `(H, W, 3)` uint8 RGB.
        predictions: Its detections.
        truth: Its annotated boxes; None = not known.
        title: Written above the row.
    """

    image: np.ndarray
    predictions: BoxSet
    truth: BoxSet | None = None
    title: str = ''


def draw_boxes(image: np.ndarray, found: BoxSet, size: int | None = None, *, classes: Sequence[str] = ()) -> np.ndarray:
    """A picture with boxes and their labels, the best on top.

    Args:
        image: `(H, W, 3)` uint8 RGB; left as it is.
        found: The boxes.
        size: Longest side of the result, pixels; None: that of the image, but `SMALLEST` at least.
        classes: All class names: each has its colour in every picture that is drawn with the same list.

    Returns:
        `(H', W', 3)` uint8 RGB.

    Raises:
        ValueError: If `image` is not such an array.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f'expected an (H, W, 3) uint8 image, got {image.shape} of {image.dtype}.')
    colors = class_colors([*classes, *found.names])
    height, width = image.shape[:2]
    scale = (size or max(height, width, SMALLEST)) / max(height, width)
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    # A magnified small picture should show its pixels, not a blur.
    resampling = Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.LANCZOS
    picture = Image.fromarray(image).resize(shape, resampling)
    draw = ImageDraw.Draw(picture)
    order = range(len(found.names)) if found.scores is None else np.argsort(np.asarray(found.scores), kind='stable')
    # Truth in the order given, detections from the worst to the best.
    places = [[float(value) * scale for value in found.boxes[index]] for index in order]
    for index, box in zip(order, places, strict=True):
        draw.rectangle(_ordered(box), outline=colors[found.names[index]], width=max(2, max(shape) // 300))
    for index, box in zip(order, places, strict=True):
        score = '' if found.scores is None else f' {found.scores[index]:.2f}'
        _label(draw, box, f'{found.names[index]}{score}', colors[found.names[index]], picture.size)
    return np.asarray(picture)


def draw_detection_sheet(
    panels: Sequence[DetectionPanel], path: str | os.PathLike, *, size: int = 480, classes: Sequence[str] = ()
) -> None:
    """Draw a row per picture: the truth on the left, where it is known, and the detections on the right.

    Args:
        panels: What to show.
        path: Picture to write; the ending gives the format.
        size: Longest side of a picture, pixels.
        classes: As in `draw_boxes`.

    Raises:
        ValueError: If there is nothing to show.
    """
    if not panels:
        raise ValueError('the sheet needs at least one picture.')
    sets = [boxes for panel in panels for boxes in (panel.truth, panel.predictions) if boxes is not None]
    names = [*classes, *(name for boxes in sets for name in boxes.names)]
    rows = [_row(panel, size, names) for panel in panels]
    sheet = Image.new(
        'RGB', (2 * MARGIN + max(row.width for row in rows), 2 * MARGIN + sum(row.height + GAP for row in rows) - GAP), 'white'
    )
    top = MARGIN
    for row in rows:
        sheet.paste(row, (MARGIN, top))
        top += row.height + GAP
    with atomic_path(path) as temporary:
        sheet.save(temporary)


def _row(panel: DetectionPanel, size: int, classes: Sequence[str]) -> Image.Image:
    sides = [] if panel.truth is None else [('truth', panel.truth)]
    sides.append(('predicted', panel.predictions))
    pictures = [Image.fromarray(draw_boxes(panel.image, boxes, size, classes=classes)) for _, boxes in sides]
    width = len(pictures) * (pictures[0].width + GAP) - GAP
    title = wrap(panel.title, font(14, bold=True), max(width, size)) if panel.title else []
    face, head = font(12), len(title) * line_height(font(14, bold=True))
    row = Image.new('RGB', (max(width, size), head + line_height(face) + pictures[0].height), 'white')
    draw = ImageDraw.Draw(row)
    draw_lines(draw, (0, 0), title, font(14, bold=True), INK)
    for index, ((name, boxes), picture) in enumerate(zip(sides, pictures, strict=True)):
        left = index * (picture.width + GAP)
        draw_lines(draw, (left, head), [f'{name}: {len(boxes.names)}'], face, FAINT)
        row.paste(picture, (left, head + line_height(face)))
    return row


def _label(draw: ImageDraw.ImageDraw, box: list[float], text: str, color: Color, canvas: tuple[int, int]) -> None:
    """Text on a strip of the colour, above the box where there is room, otherwise inside it."""
    face = font(12)
    width, height = round(face.getlength(text)) + 6, line_height(face)
    left = min(max(0, box[0]), max(0, canvas[0] - width))
    top = box[1] - height if box[1] >= height else max(0, box[1])
    draw.rectangle((left, top, left + width, top + height), fill=color)
    bright = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] > 128
    draw.text((left + 3, top + 1), text, font=face, fill='black' if bright else 'white')


def _ordered(box: list[float]) -> tuple[float, float, float, float]:
    """Pillow refuses a rectangle whose second corner comes before the first."""
    return box[0], box[1], max(box[0], box[2] - 1), max(box[1], box[3] - 1)
