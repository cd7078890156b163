"""A sheet of retrieval results: what each text finds among the images, and each image among the texts."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from florence.atomic_files import atomic_path
from florence.visualization.canvas import BORDER, FAINT, INK, RIGHT, WRONG, draw_lines, font, line_height, tile, wrap

MARGIN = 20
GAP = 10
TILE = 128
QUERY_WIDTH = 220
RESULTS_PER_ROW = 5
TEXT = 15
FRAMES = {True: RIGHT, False: WRONG, None: FAINT}
MARKS = {True: '\N{CHECK MARK} ', False: '\N{BALLOT X} ', None: ''}
WIDTH = 2 * MARGIN + QUERY_WIDTH + RESULTS_PER_ROW * (TILE + GAP)


@dataclass(frozen=True)
class FoundImage:
    """One image that a text query found.

    Attributes:
        image: `(H, W, 3)` uint8 RGB.
        score: Cosine similarity.
        is_right: Whether it belongs to the query; None = not known.
    """

    image: np.ndarray
    score: float
    is_right: bool | None


@dataclass(frozen=True)
class TextQuery:
    """A text and the images it found, best first."""

    text: str
    found: Sequence[FoundImage]


@dataclass(frozen=True)
class FoundText:
    """One text that an image query found.

    Attributes:
        text: The caption.
        score: Cosine similarity.
        is_right: Whether it belongs to the query; None = not known.
    """

    text: str
    score: float
    is_right: bool | None


@dataclass(frozen=True)
class ImageQuery:
    """An image and the texts it found, best first; `image` is `(H, W, 3)` uint8 RGB."""

    image: np.ndarray
    found: Sequence[FoundText]


def draw_retrieval_gallery(queries: Sequence[TextQuery | ImageQuery], path: str | os.PathLike, *, found: str = 'image') -> None:
    """Draw a row per query: the query at the left, its results best first, right ones green, wrong ones red.

    Text queries come first, image queries below them.

    Args:
        queries: What to show; a text query may have at most five results.
        path: Picture to write; the ending gives the format.
        found: What the images stand for, for the headings.

    Raises:
        ValueError: If there is no query, a text query has more than five results, or an image is not RGB.
    """
    text_queries = [query for query in queries if isinstance(query, TextQuery)]
    image_queries = [query for query in queries if isinstance(query, ImageQuery)]
    if not queries:
        raise ValueError('the gallery needs at least one query.')
    longest = max((len(query.found) for query in text_queries), default=0)
    if longest > RESULTS_PER_ROW:
        raise ValueError(f'a row holds {RESULTS_PER_ROW} images, a query has {longest}: give the best only.')
    rows = []
    if text_queries:
        rows += [_heading(f'Text to {found}')] + [_text_query_row(query) for query in text_queries]
    if image_queries:
        rows += [_heading(f'{found.capitalize()} to text')] + [_image_query_row(query) for query in image_queries]
    sheet = Image.new('RGB', (WIDTH, sum(row.height for row in rows) + 2 * MARGIN), 'white')
    top = MARGIN
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    with atomic_path(path) as temporary:
        sheet.save(temporary)


def _heading(text: str) -> Image.Image:
    row = Image.new('RGB', (WIDTH, 40), 'white')
    ImageDraw.Draw(row).text((MARGIN, 4), text, font=font(20, bold=True), fill=INK)
    return row


def _text_query_row(query: TextQuery) -> Image.Image:
    face, small = font(TEXT), font(13)
    lines = wrap(f'"{query.text}"', face, QUERY_WIDTH - 2 * GAP)
    text_height = len(lines) * line_height(face)
    height = max(TILE + line_height(small), text_height) + 2 * GAP
    row = Image.new('RGB', (WIDTH, height), 'white')
    draw = ImageDraw.Draw(row)
    draw_lines(draw, (MARGIN, max(0, (TILE - text_height) // 2)), lines, face)
    for index, found in enumerate(query.found):
        left = MARGIN + QUERY_WIDTH + index * (TILE + GAP)
        color = FRAMES[found.is_right]
        row.paste(tile(found.image, TILE, color), (left, 0))
        draw.text((left + BORDER, TILE + 2), _verdict(found), font=small, fill=color)
    return row


def _image_query_row(query: ImageQuery) -> Image.Image:
    face = font(TEXT)
    left = MARGIN + TILE + 2 * GAP
    score_width = 84
    wrapped = [wrap(found.text, face, WIDTH - left - score_width - MARGIN) for found in query.found]
    text_height = sum(len(lines) for lines in wrapped) * line_height(face) + GAP // 2 * len(wrapped)
    row = Image.new('RGB', (WIDTH, max(TILE, text_height) + 2 * GAP), 'white')
    draw = ImageDraw.Draw(row)
    row.paste(tile(query.image, TILE, FAINT), (MARGIN, 0))
    top = max(0, (TILE - text_height) // 2)
    for found, lines in zip(query.found, wrapped, strict=True):
        color = FRAMES[found.is_right]
        draw.text((left, top), _verdict(found), font=face, fill=color)
        draw_lines(draw, (left + score_width, top), lines, face, color if found.is_right else INK)
        top += len(lines) * line_height(face) + GAP // 2
    return row


def _verdict(found: FoundImage | FoundText) -> str:
    """Mark and score: the mark tells right from wrong where colours do not."""
    return f'{MARKS[found.is_right]}{found.score:.3f}'
