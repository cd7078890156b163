"""Corners and weights of samples, worked out by hand."""

import pytest
import torch

from florence.layers.deform_sampling import ConvGeometry, locate_samples, sampling_gradients

POINT = ConvGeometry((4, 5), (1, 1), (1, 1), (0, 0), (1, 1))


def one_offset(y: float, x: float, at: tuple[int, int], batch: int = 1) -> torch.Tensor:
    """Offsets of a 1 x 1 kernel over 4 x 5 pixels: only the last image's position `at` is displaced."""
    offset = torch.zeros(batch, 2, 4, 5)
    offset[-1, :, at[0], at[1]] = torch.tensor([y, x])
    return offset


def sample_at(offset: torch.Tensor, at: tuple[int, int], mask: float = 1.0):
    samples = locate_samples(offset, torch.full((len(offset), 1, 4, 5), mask), POINT)
    number = (len(offset) - 1) * 20 + at[0] * 5 + at[1]
    return samples.corners[number].tolist(), samples.weight[number].tolist()


def test_corners_and_weights_inside_of_the_second_image():
    index, weight = sample_at(one_offset(1.25, -0.5, (1, 2), batch=2), (1, 2), mask=0.5)
    assert index == [20 + row * 5 + column for row in (2, 3) for column in (1, 2)]  # (2.25, 1.5)
    assert weight == [0.5 * 0.75 * 0.5, 0.5 * 0.75 * 0.5, 0.5 * 0.25 * 0.5, 0.5 * 0.25 * 0.5]


@pytest.mark.parametrize(
    ('y', 'x', 'weight'),
    [
        (-0.25, 2.0, [0, 0, 0.75, 0]),  # a quarter above the map
        (3.5, 4.5, [0.25, 0, 0, 0]),  # half beyond the last corner
        (-1.0, 2.0, [0, 0, 0, 0]),
        (4.0, 2.0, [0, 0, 0, 0]),
        (1e9, -1e9, [0, 0, 0, 0]),
    ],
)
def test_corners_outside_weigh_nothing_and_stay_in_the_table(y, x, weight):
    index, found = sample_at(one_offset(y, x, (0, 0)), (0, 0))
    assert found == weight
    assert all(0 <= number < 20 for number in index)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_offsets_that_are_not_finite_show_in_the_weights(value):
    index, weight = sample_at(one_offset(value, 0.0, (1, 1)), (1, 1))
    assert all(0 <= number < 20 for number in index)
    assert any(number != number for number in weight)


def test_a_coordinate_of_minus_one_has_no_slope():
    gradients = torch.ones(20, 4)
    gradients[:, :2] = 0  # a value in the lower row only
    for y, slope in ((-1.0, 0.0), (-0.999, 1.0), (-1.001, 0.0)):
        samples = locate_samples(one_offset(y, 0.0, (0, 2)), torch.ones(1, 1, 4, 5), POINT)
        assert sampling_gradients(gradients, samples, POINT)[0][0, 0, 0, 2] == slope


def test_coordinates_in_the_thousands_keep_their_fractions():
    geometry = POINT._replace(input_size=(1, 4000))
    samples = locate_samples(torch.full((1, 2, 1, 4000), 0.125), torch.ones(1, 1, 1, 4000), geometry)
    assert samples.columns.weight[1].unique().tolist() == [0.0, 0.125]


def test_taps_run_over_columns_first():
    geometry = ConvGeometry((9, 9), (2, 3), (2, 1), (1, 0), (3, 2))
    rows, columns = geometry.tap_grid(torch.zeros(1))
    assert geometry.output_size == (4, 5) and geometry.num_taps == 6
    assert rows[1].flatten().tolist() == [1, 1, 1, 4, 4, 4]
    assert columns[2].tolist() == [2, 4, 6, 2, 4, 6]
