"""Film strips and grids: which frames are shown and where, colours of right and wrong, refusals."""

import numpy as np
import pytest
from PIL import Image

from florence.visualization import ClassifiedClip, draw_film_strips, film_grid
from florence.visualization.canvas import RIGHT, WRONG
from florence.visualization.film_strips import FRAME, MARGIN, NUM_FRAMES, pick_frames


def clip(length):
    return np.stack([np.full((8, 10, 3), 10 * index, np.uint8) for index in range(length)])


def test_frames_are_spread_from_the_first_to_the_last():
    assert [int(frame[0, 0, 0]) for frame in pick_frames(clip(11), 6)] == [0, 20, 40, 60, 80, 100]
    assert [int(frame[0, 0, 0]) for frame in pick_frames(clip(2), 6)] == [0, 10]


def test_a_grid_reads_like_a_page():
    grid = film_grid(clip(4))
    assert grid.shape == (18, 22, 3)
    assert [int(grid[y, x, 0]) for y, x in ((0, 0), (0, 21), (17, 0), (17, 21))] == [0, 10, 20, 30]
    assert film_grid(clip(1)).max(axis=(0, 1)).tolist() == [255] * 3 and film_grid(clip(1))[17, 21, 0] == 0


def test_strips(tmp_path):
    shown = [
        ClassifiedClip(clip(8), ['a', 'b'], [0.7, 0.3], 'a', 'right.mp4'),
        ClassifiedClip(clip(3), ['a', 'b'], [0.7, 0.3], 'b', 'wrong.mp4'),
    ]
    draw_film_strips(shown, tmp_path / 'strips.png')
    pixels = np.asarray(Image.open(tmp_path / 'strips.png'))
    frames = pixels[:, MARGIN : MARGIN + NUM_FRAMES * FRAME]
    green, red = ((frames == color).all(-1) for color in (RIGHT, WRONG))
    assert green.any() and red.any() and np.argwhere(green)[:, 0].max() < np.argwhere(red)[:, 0].min()
    assert green.sum() == pytest.approx(2 * red.sum(), rel=0.1), 'six frames beside three'


def test_mistakes_are_named(tmp_path):
    with pytest.raises(ValueError, match='at least one clip'):
        draw_film_strips([], tmp_path / 'x.png')
    with pytest.raises(ValueError, match='got 2 classes and 1 probabilities'):
        draw_film_strips([ClassifiedClip(clip(2), ['a', 'b'], [1.0])], tmp_path / 'x.png')
