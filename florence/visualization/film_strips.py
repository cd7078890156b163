"""Clips on paper: frames of a clip side by side with its most probable classes, or as one tile."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from florence.atomic_files import atomic_path
from florence.visualization.canvas import draw_lines, font, line_height, tile, wrap
from florence.visualization.classification_sheet import BARS_WIDTH, bars_height, draw_bars, guess_color

MARGIN = 20
GAP = 14
FRAME = 104
"""Side of a frame's tile, pixels."""
NUM_FRAMES = 6


@dataclass(frozen=True)
class ClassifiedClip:
    """A clip and its most probable classes.

    Attributes:
        frames: `(T, H, W, 3)` uint8 RGB.
        classes: Names of the most probable classes, best first.
        probabilities: Probability of each of them, in [0, 1].
        truth: Name of the true class; None = not known.
        text: What stands above the frames, such as the name of the file.
    """

    frames: np.ndarray
    classes: Sequence[str]
    probabilities: Sequence[float]
    truth: str | None = None
    text: str = ''


def pick_frames(frames: np.ndarray, count: int) -> list[np.ndarray]:
    """At most `count` frames, the first and the last among them, evenly spaced.

    Args:
        frames: `(T, H, W, 3)`.
        count: 2 or more.
    """
    places = np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int)
    return [frames[place] for place in places]


def film_grid(frames: np.ndarray) -> np.ndarray:
    """Four frames of a clip in two rows, read like a page, `(2 H + 2, 2 W + 2, 3)`; of a shorter clip some repeat.

    Args:
        frames: `(T, H, W, 3)` uint8 RGB.
    """
    places = np.linspace(0, len(frames) - 1, 4).round().astype(int)
    height, width = frames.shape[1:3]
    grid = np.full((2 * height + 2, 2 * width + 2, 3), 255, np.uint8)
    for index, place in enumerate(places):
        top, left = (index // 2) * (height + 2), (index % 2) * (width + 2)
        grid[top : top + height, left : left + width] = frames[place]
    return grid


def draw_film_strips(clips: Sequence[ClassifiedClip], path: str | os.PathLike) -> None:
    """Draw a row per clip: six of its frames and a bar per class; frames are green where the first guess is right, red where
    it is wrong.

    Args:
        clips: What to show.
        path: Picture to write; the ending gives the format.

    Raises:
        ValueError: If there is nothing to show, or a clip has not one probability per class.
    """
    if not clips:
        raise ValueError('the sheet needs at least one clip.')
    rows = [_row(clip) for clip in clips]
    sheet = Image.new('RGB', (rows[0].width + 2 * MARGIN, 2 * MARGIN + sum(row.height + GAP for row in rows) - GAP), 'white')
    top = MARGIN
    for row in rows:
        sheet.paste(row, (MARGIN, top))
        top += row.height + GAP
    with atomic_path(path) as temporary:
        sheet.save(temporary)


def _row(clip: ClassifiedClip) -> Image.Image:
    if len(clip.classes) != len(clip.probabilities) or not clip.classes:
        raise ValueError(
            f'expected classes with one probability each, got {len(clip.classes)} classes and {len(clip.probabilities)} '
            'probabilities.'
        )
    strip = NUM_FRAMES * FRAME
    face = font(13, bold=True)
    above = wrap(clip.text, face, strip) if clip.text else []
    top = len(above) * line_height(face)
    height = max(top + FRAME, bars_height(clip.classes, clip.truth))
    row = Image.new('RGB', (strip + GAP + BARS_WIDTH, height), 'white')
    draw = ImageDraw.Draw(row)
    draw_lines(draw, (0, 0), above, face)
    color = guess_color(0, clip.classes[0], clip.truth)
    for index, frame in enumerate(pick_frames(clip.frames, NUM_FRAMES)):
        row.paste(tile(frame, FRAME, color), (index * FRAME, top))
    draw_bars(draw, (strip + GAP, 0), clip.classes, clip.probabilities, clip.truth)
    return row
