"""Polygons with fewer points, for targets that must fit the positions of a decoder.

Points go one after the other, always the one whose triangle with its neighbours is the smallest (Visvalingam and Whyatt, "Line
generalisation by repeated elimination of points", 1993): the area changes least, and the number of points that stay is exact,
which Douglas and Peucker's tolerance does not give.
"""

from collections.abc import Sequence

import numpy as np


def simplified(polygon: Sequence[float], max_points: int) -> list[float]:
    """A polygon of `max_points` of its own points; one that has no more stays as it is.

    Args:
        polygon: Flat `x, y, ...`.
        max_points: At least 3.
    """
    points = np.asarray(polygon, np.float64).reshape(-1, 2)
    while len(points) > max_points:
        before, after = np.roll(points, 1, 0) - points, np.roll(points, -1, 0) - points
        twice_area = np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0])
        points = np.delete(points, twice_area.argmin(), 0)
    return points.reshape(-1).tolist()
