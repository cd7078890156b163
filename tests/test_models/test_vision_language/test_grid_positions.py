"""Sine positions of grids: by hand, distinct, the same place in maps of different resolution."""

import math

import pytest
import torch

from florence.models.vision_language.grid_positions import sine_positions


def test_one_cell_by_hand():
    codes = sine_positions(2, 4, 8)[1 * 4 + 2]  # row 1 of 2, column 2 of 4; frequencies 1 and 64
    row, column = (1.5 / 2 * 2 * math.pi, 2.5 / 4 * 2 * math.pi)
    expected = [f(place * k) for place in (row, column) for f in (math.sin, math.cos) for k in (1, 64)]
    torch.testing.assert_close(codes, torch.tensor(expected), rtol=0, atol=1e-4)


def test_cells_differ_and_lie_row_by_row():
    codes = sine_positions(7, 12, 32)
    assert codes.shape == (84, 32) and codes.dtype == torch.float32
    distances = torch.cdist(codes, codes) + 10 * torch.eye(84)
    assert distances.min() > 0.1
    grid = codes.view(7, 12, 32)
    assert (grid[:, :, :16] == grid[:, :1, :16]).all() and (grid[:, :, 16:] == grid[:1, :, 16:]).all()


def test_maps_of_other_resolution_agree_on_the_place():
    # The middle of a cell of a 3 x 3 map is the middle of the middle one of its 3 x 3 cells in a 9 x 9 map.
    fine = sine_positions(9, 9, 16).view(9, 9, 16)[1::3, 1::3]
    torch.testing.assert_close(fine.reshape(9, 16), sine_positions(3, 3, 16), rtol=0, atol=1e-4)


def test_width_must_be_a_multiple_of_four():
    with pytest.raises(ValueError, match='multiple of 4, got 30'):
        sine_positions(2, 2, 30)
