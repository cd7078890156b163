"""ImageTokens: order of tokens and channels by hand, and its limits. Parity with transformers is tested with the whole model."""

import math

import pytest
import torch

from florence.models.florence2.image_tokens import FramePositions, ImageTokens, MapPositions


def test_columns_take_the_first_half_of_the_channels_and_rows_the_second():
    positions = MapPositions(6, 5)
    found = positions(2, 3)
    for row in range(2):
        for column in range(3):
            wanted = torch.cat([positions.column_embeddings.weight[column], positions.row_embeddings.weight[row]])
            assert torch.equal(found[3 * row + column], wanted)


def test_stretched_positions_hold_at_every_size():
    positions = MapPositions(6, 5, stretched_size=4)
    counted = MapPositions(6, 5)
    counted.load_state_dict(positions.state_dict())
    torch.testing.assert_close(positions(4, 4), counted(4, 4))  # the size that they were trained on
    found = positions(8, 2)  # larger than the tables, and smaller
    rows, columns = found[::2, 3:], found[:2, :3]
    table = positions.row_embeddings.weight
    # Eight places of four: a quarter of a row off each, but at the edge.
    torch.testing.assert_close(rows[0], table[0])
    torch.testing.assert_close(rows[3], 0.75 * table[1] + 0.25 * table[2])
    torch.testing.assert_close(columns[0], positions.column_embeddings.weight[:2].mean(0))
    found.sum().backward()
    assert positions.row_embeddings.weight.grad[:4].abs().min() > 0


def test_a_stretched_size_beyond_the_tables_is_refused():
    with pytest.raises(ValueError, match='stretched_size=9 must be the side of the map .* 1 to 5'):
        MapPositions(6, 5, stretched_size=9)


def test_times_are_sines_and_cosines_in_turn():
    found = FramePositions(4, 8)(3)
    assert found[0].tolist() == [0, 1, 0, 1]
    wanted = [f(2 * frequency) for frequency in (1, 1e-2) for f in (math.sin, math.cos)]
    assert found[2].tolist() == pytest.approx(wanted, abs=1e-6)


@torch.no_grad()
def test_averages_of_frames_come_before_averages_of_places():
    tokens = ImageTokens(4, 4, max_map_size=3, max_frames=2)
    tokens.image_projection.weight.copy_(torch.eye(4))
    maps = torch.randn(2, 2, 4, 2, 3)  # (B, T, C, H, W)
    placed = maps.permute(0, 1, 3, 4, 2).flatten(2, 3) + tokens.image_pos_embed(2, 3) + tokens.visual_temporal_embed(2)[:, None]
    found = tokens(maps)
    assert found.shape == (2, 2 + 6, 4)
    torch.testing.assert_close(found[1, 1], tokens.image_proj_norm(placed[1, 1].mean(0)))
    torch.testing.assert_close(found[1, 2 + 5], tokens.image_proj_norm(placed[1, :, 5].mean(0)))


@pytest.mark.parametrize(('shape', 'message'), [
    ((1, 1, 4, 3, 4), 'the map of the image is 3 x 4, the model has 3 positions a side'),
    ((1, 3, 4, 3, 3), 'a clip has 3 frames, the model has positions for 2'),
])  # fmt: skip
def test_what_has_no_position_is_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        ImageTokens(4, 4, max_map_size=3, max_frames=2)(torch.zeros(shape))
    with pytest.raises(ValueError, match='even number of channels, got 5'):
        ImageTokens(5, 4)


def test_initial_positions_are_as_large_as_asked_for():
    for std in (0.02, 1.0):
        positions = ImageTokens(64, 32, position_std=std).image_pos_embed
        assert positions.row_embeddings.weight.std().item() == pytest.approx(std, rel=0.1)
