"""A sheet of images with a task, the answer in words, and the regions of the answer drawn on the image."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from florence.atomic_files import atomic_path
from florence.visualization.canvas import FAINT, INK, draw_lines, font, line_height, wrap
from florence.visualization.class_colors import class_colors

MARGIN = 20
GAP = 14
PICTURE = 320
TEXT_WIDTH = 300
MAX_LINES = 16
SHADE = 90
"""Opacity of a filled region, of 255."""


@dataclass(frozen=True)
class AnsweredImage:
    """An image and what a model answered about it.

    Attributes:
        image: `(H, W, 3)` uint8 RGB.
        task: What was asked.
        text: The answer in words; may be empty.
        outlines: For each region its parts, flat `x, y, ...` of the corners in pixels.
        labels: For each region its label, which may be empty.
        filled: Whether regions are masks, which are filled.
        name: Of the image; may be empty.
    """

    image: np.ndarray
    task: str
    text: str
    outlines: Sequence[Sequence[Sequence[float]]] = ()
    labels: Sequence[str] = ()
    filled: bool = False
    name: str = ''


def draw_answer_sheet(answered: Sequence[AnsweredImage], path: str | os.PathLike) -> None:
    """Draw a row per answer: the image with the regions on the left, task and answer on the right.

    Args:
        answered: What to show.
        path: Picture to write; the ending gives the format.

    Raises:
        ValueError: If there is nothing to show.
    """
    if not answered:
        raise ValueError('the sheet needs at least one answer.')
    rows = [_row(item) for item in answered]
    height = 2 * MARGIN + sum(row.height + GAP for row in rows) - GAP
    sheet = Image.new('RGB', (2 * MARGIN + PICTURE + GAP + TEXT_WIDTH, height), 'white')
    top = MARGIN
    for row in rows:
        sheet.paste(row, (MARGIN, top))
        top += row.height + GAP
    with atomic_path(path) as temporary:
        sheet.save(temporary)


def draw_regions(item: AnsweredImage, size: int) -> Image.Image:
    """The image, its longest side `size` pixels, with the regions of the answer."""
    height, width = item.image.shape[:2]
    scale = size / max(height, width)
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    # A magnified small picture should show its pixels, not a blur.
    resampling = Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.LANCZOS
    picture = Image.fromarray(item.image).resize(shape, resampling).convert('RGBA')
    names = [label or f'region {number}' for number, label in enumerate(item.labels, 1)]
    colors = class_colors(names)
    layer = Image.new('RGBA', shape)
    draw = ImageDraw.Draw(layer)
    for name, parts in zip(names, item.outlines, strict=True):
        for part in parts:
            corners = [(x * scale, y * scale) for x, y in zip(part[::2], part[1::2], strict=True)]
            draw.polygon(corners, fill=(*colors[name], SHADE) if item.filled else None)
            draw.line([*corners, corners[0]], fill=(*colors[name], 255), width=2)
    picture = Image.alpha_composite(picture, layer).convert('RGB')
    draw, face = ImageDraw.Draw(picture), font(12)
    for label, name, parts in zip(item.labels, names, item.outlines, strict=True):
        if label and parts:
            x, y = min(parts[0][::2]) * scale, min(parts[0][1::2]) * scale
            left = min(max(x, 0), max(shape[0] - face.getlength(label) - 4, 0))
            top = max(min(y, shape[1]) - line_height(face), 0)
            draw.rectangle((left, top, left + face.getlength(label) + 4, top + line_height(face)), fill='white')
            draw.text((left + 2, top + 1), label, font=face, fill=colors[name])
    return picture


def _row(item: AnsweredImage) -> Image.Image:
    picture = draw_regions(item, PICTURE)
    head, face = font(14, bold=True), font(14)
    name = wrap(item.name, face, TEXT_WIDTH) if item.name else []
    task, answer = wrap(item.task, head, TEXT_WIDTH), wrap(item.text or '(empty)', face, TEXT_WIDTH)
    if len(answer) > MAX_LINES:
        answer = [*answer[:MAX_LINES], f'... {len(item.text)} characters in all']
    top_of_task = len(name) * line_height(face)
    top_of_answer = top_of_task + len(task) * line_height(head) + GAP // 2
    text_height = top_of_answer + len(answer) * line_height(face)
    row = Image.new('RGB', (PICTURE + GAP + TEXT_WIDTH, max(picture.height, text_height)), 'white')
    row.paste(picture, (0, 0))
    draw, left = ImageDraw.Draw(row), PICTURE + GAP
    draw_lines(draw, (left, 0), name, face, FAINT)
    draw_lines(draw, (left, top_of_task), task, head, INK)
    draw_lines(draw, (left, top_of_answer), answer, face, INK if item.text else FAINT)
    return row
