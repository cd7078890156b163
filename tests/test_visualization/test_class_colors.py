"""Colours of classes: far apart to the eye."""

import numpy as np
import pytest

from florence.visualization.class_colors import class_colors, to_lab


def closest(names):
    """Least distance in CIELAB of two of the colours; 2 is just visible."""
    lab = to_lab(np.array(list(class_colors(names).values())))
    distances = np.linalg.norm(lab[:, None] - lab, axis=2)
    return distances[~np.eye(len(lab), dtype=bool)].min()


@pytest.mark.parametrize(('count', 'least'), [(3, 100), (10, 50), (20, 30), (80, 10)])
def test_colours_are_far_apart(count, least):
    assert closest([f'class {index}' for index in range(count)]) > least
    assert closest(['Platelets', 'RBC', 'WBC']) > 100


def test_place_in_the_list_decides():
    few, many = class_colors(['a', 'b']), class_colors(['a', 'b', 'a', *map(str, range(300))])
    assert {name: many[name] for name in few} == few and len(many) == 302
    assert class_colors([]) == {}


def test_lab_of_known_colours():
    white, red, black = to_lab(np.array([[255, 255, 255], [255, 0, 0], [0, 0, 0]]))
    assert white == pytest.approx([100, 0, 0], abs=0.01) and black == pytest.approx([0, 0, 0], abs=0.01)
    assert red == pytest.approx([53.24, 80.09, 67.20], abs=0.01)
