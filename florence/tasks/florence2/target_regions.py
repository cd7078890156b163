"""Regions as target text: which ones, in which order, with which labels (arXiv 2311.06242, section 3.1).

The release writes a label once and all of its boxes after it. The order of boxes in pretraining is not published; by area is our
default, because the largest objects are then what a cap keeps.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np

from florence.tasks.florence2.quantizer import location_text
from florence.tasks.florence2.simplified_polygons import simplified
from florence.tasks.florence2.tokens import ADDED_TOKEN, CONTROL_TOKENS, POLYGON_END, POLYGON_START, SEPARATOR

Order = Literal['area', 'left_right', 'random', 'given']


@dataclass(frozen=True)
class TargetOptions:
    """How targets are written.

    Attributes:
        group_labels: Write a label once, then all of its boxes; else once for each box.
        order: Of boxes: largest first, from left to right, at random, as in the record.
        max_regions: Number of boxes in a target; the first ones in that order are kept. None: all.
        num_negatives: Number of absent classes that open-vocabulary detection asks for besides the present ones.
        class_names: Classes to draw absent ones from.
        max_points: Polygons of more points are simplified to as many: a point takes two tokens of a target. None: none is.

    Raises:
        ValueError: If a value is out of range.
    """

    group_labels: bool = True
    order: Order = 'area'
    max_regions: int | None = None
    num_negatives: int = 0
    class_names: tuple[str, ...] = ()
    max_points: int | None = None

    def __post_init__(self) -> None:
        if self.order not in get_args(Order):
            raise ValueError(f'order must be one of {", ".join(get_args(Order))}, got {self.order!r}')
        if self.max_regions is not None and self.max_regions < 1:
            raise ValueError(f'max_regions must be at least 1, or None for all, got {self.max_regions}')
        if self.max_points is not None and self.max_points < 3:
            raise ValueError(f'max_points must be at least 3, or None for all, got {self.max_points}')
        if self.num_negatives < 0 or (self.num_negatives and not self.class_names):
            raise ValueError(f'num_negatives={self.num_negatives} must be 0, or more with class_names to draw from')


class Region(NamedTuple):
    """A label and flat coordinates `x, y, ...` in pixels of a box or quad."""

    label: str
    coordinates: list[float]


def in_order(regions: Sequence[Region], order: Order, rng: random.Random) -> list[Region]:
    """The regions in the order asked for; equal ones stay as they are."""
    if order == 'random':
        return rng.sample(regions, len(regions))
    if order == 'area':
        return sorted(regions, key=lambda region: -_area(region.coordinates))
    if order == 'left_right':
        return sorted(regions, key=lambda region: (min(region.coordinates[::2]), min(region.coordinates[1::2])))
    return list(regions)


def regions_text(
    regions: Sequence[Region], image_size: tuple[float, float], group_labels: bool, max_regions: int | None
) -> tuple[str, tuple[Region, ...]]:
    """Labels and location tokens of regions that are in order.

    Args:
        regions: Boxes or quads.
        image_size: Width and height.
        group_labels: Write a label once.
        max_regions: How many to keep.

    Returns:
        The text, and the regions that are not in it: those beyond `max_regions`, and those of a label and location tokens that
        are there already.
    """
    written: dict[str, list[str]] = {}
    kept: set[tuple[str, str]] = set()
    pieces, left_out = [], []
    for region in regions:
        locations = location_text(region.coordinates, image_size)
        if (region.label, locations) in kept or len(kept) == max_regions:
            left_out.append(region)
            continue
        kept.add((region.label, locations))
        pieces.append(region.label + locations)
        written.setdefault(region.label, []).append(locations)
    if group_labels:
        pieces = [label + ''.join(locations) for label, locations in written.items()]
    return ''.join(pieces), tuple(left_out)


def polygons_text(
    objects: Sequence[Sequence[Sequence[float]]], image_size: tuple[float, float], max_points: int | None, source: str
) -> str:
    """Polygons, clockwise on the screen.

    Args:
        objects: Parts of each object, flat `x, y, ...` in pixels.
        image_size: Width and height.
        max_points: See `TargetOptions`.
        source: What they belong to, for the error.

    Raises:
        ValueError: If a part is no flat list of three points or more, or there is none.
    """
    texts = []
    for parts in objects:
        if not len(parts) or any(np.ndim(part) != 1 or len(part) < 6 or len(part) % 2 for part in parts):
            raise ValueError(f'polygons of {source} must be flat lists x, y, ... of three points or more, got {parts!r:.80}')
        parts = [part if max_points is None else simplified(part, max_points) for part in parts]
        texts.append(SEPARATOR.join(location_text(_clockwise(part), image_size) for part in parts))
    if len(texts) == 1:
        return texts[0]
    return ''.join(POLYGON_START + text + POLYGON_END for text in texts)


def checked_label(label: object, source: str) -> str:
    """A label without outer white space.

    Raises:
        ValueError: If it is no text, blank, or would be read as a token.
    """
    if not isinstance(label, str) or not label.strip():
        raise ValueError(f'{source} must be a text, got {label!r:.80}')
    token = re.search('|'.join([ADDED_TOKEN, *CONTROL_TOKENS]), label)
    if token:
        raise ValueError(f'{source} is {label!r:.80}, which spells the token {token[0]}: rename it')
    return label.strip()


def _area(coordinates: Sequence[float]) -> float:
    x, y = coordinates[::2], coordinates[1::2]
    return (max(x) - min(x)) * (max(y) - min(y))


def _clockwise(polygon: Sequence[float]) -> list[float]:
    points = list(zip(polygon[::2], polygon[1::2], strict=True))
    following = points[1:] + points[:1]
    twice_area = sum(x * next_y - next_x * y for (x, y), (next_x, next_y) in zip(points, following, strict=True))
    if twice_area < 0:
        points[1:] = points[:0:-1]
    return [value for point in points for value in point]
