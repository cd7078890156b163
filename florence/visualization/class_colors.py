"""Colours that tell classes apart: each as far as can be, to the eye, from those before it."""

import colorsys
from collections.abc import Iterable
from functools import cache

import numpy as np

Color = tuple[int, int, int]
HUES = 36
TONES = ((1.0, 1.0), (1.0, 0.7), (0.55, 1.0), (0.65, 0.55))
"""Saturation and value of the candidates: none is near black, grey or white."""


def class_colors(names: Iterable[str]) -> dict[str, Color]:
    """A colour for each distinct name by its place in the list: the same list gives the same colours in every picture.

    The first names have the most different colours; beyond 144 names colours come again.

    Args:
        names: Class names; one that comes again keeps its colour.
    """
    palette = _palette()
    return {name: palette[index % len(palette)] for index, name in enumerate(dict.fromkeys(names))}


@cache
def _palette() -> tuple[Color, ...]:
    """All candidates, each the farthest in CIELAB from those before it."""
    shades = [colorsys.hsv_to_rgb(hue / HUES, *tone) for tone in TONES for hue in range(HUES)]
    colors = np.round(255 * np.array(shades)).astype(int)
    lab = to_lab(colors)
    order = [0]
    distance = np.linalg.norm(lab - lab[0], axis=1)
    while len(order) < len(colors):
        order.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(lab - lab[order[-1]], axis=1))
        distance[order] = -1
    return tuple((int(red), int(green), int(blue)) for red, green, blue in colors[order])


def to_lab(colors: np.ndarray) -> np.ndarray:
    """CIELAB (D65) of sRGB colours, in which distances are about those that the eye sees.

    Args:
        colors: `(N, 3)`, 0 to 255.

    Returns:
        `(N, 3)`.
    """
    values = np.asarray(colors) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
    xyz = linear @ to_xyz.T / (0.95047, 1.0, 1.08883)
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)
