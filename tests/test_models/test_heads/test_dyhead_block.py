"""Where the offsets of a level act on its coarser neighbour, and the small parts of a block."""

import pytest
import torch
from torch import nn

from florence.models.heads.dyhead_block import (
    DyHeadBlock,
    head_of_buffer,
    mean_of_resized,
    relu_lines,
    resize,
    resize_offset_and_mask,
)

OPTIONS = dict(dcn_bias=True, norm_groups=None, zero_init_offset=False, scale_range='code', task_attention=False)


def furthest_effect(offset_mode, place=(4, 12), size=(16, 24)):
    """Pixels from a place to the furthest position of the coarser branch that changes with the mask predicted there."""
    block = DyHeadBlock(8, 8, offset_mode=offset_mode, **OPTIONS)
    own, coarser = torch.randn(1, 8, *size), torch.rand(1, 8, size[0] // 2, size[1] // 2)
    if offset_mode == 'upsample_first':
        coarser = resize(coarser, size)
    offset, mask = block._offset_and_mask(own)
    changed = mask.detach().clone()
    changed[:, :, place[0], place[1]] = 0
    before, after = (block._branch(block.coarser, coarser, offset, given).x for given in (mask, changed))
    rows, columns = (after - before).abs().sum((0, 1)).gt(1e-6).nonzero().unbind(1)
    assert len(rows)
    return float(((rows - place[0]) ** 2 + (columns - place[1]) ** 2).float().sqrt().max())


def test_only_the_official_mode_steers_other_places():
    assert furthest_effect('upsample_first') == 0
    assert furthest_effect('interp') < 4  # a cell of the coarser level and its interpolation
    assert furthest_effect('official') > 8


def test_official_offsets_are_the_first_numbers_of_the_buffer():
    offset, mask = torch.randn(2, 27, 4, 6).to(memory_format=torch.channels_last).split([18, 9], dim=1)
    small_offset, small_mask = head_of_buffer(offset, mask, (2, 3))
    for image in range(2):
        assert small_offset[image].flatten().tolist() == [float(number) for number in offset[image].flatten()[: 18 * 6]]
        assert small_mask[image].flatten().tolist() == [float(number) for number in mask[image].flatten()[: 9 * 6]]


def test_resized_offsets_are_in_pixels_of_the_new_grid():
    offset = torch.zeros(1, 18, 8, 12)
    offset[:, 0::2], offset[:, 1::2] = 4.0, 6.0  # y, x
    small, mask = resize_offset_and_mask(offset, torch.full((1, 9, 8, 12), 0.25), (4, 4))
    assert small[:, 0::2].unique().tolist() == [2.0] and small[:, 1::2].unique().tolist() == [2.0]
    assert mask.shape == (1, 9, 4, 4) and mask.unique().tolist() == [0.25]


@pytest.mark.parametrize('size', [(19, 27), (5, 9), (7, 30)])
def test_mean_of_a_resized_map(size):
    x = torch.randn(2, 3, 10, 14, dtype=torch.float64)
    torch.testing.assert_close(mean_of_resized(x, size), resize(x, size).mean((2, 3)))


def test_norm_line_is_the_group_norm():
    branch = DyHeadBlock(8, 32, offset_mode='interp', **(OPTIONS | dict(norm_groups=4))).own
    nn.init.normal_(branch.norm.weight)
    nn.init.normal_(branch.norm.bias)
    x = torch.randn(2, 32, 3, 5) + 5 * torch.randn(32, 1, 1)
    variance, mean = torch.var_mean(x, (2, 3), correction=0)
    slope, intercept = branch._norm_line(mean, variance)
    torch.testing.assert_close(x * slope[:, :, None, None] + intercept[:, :, None, None], branch.norm(x), atol=1e-5, rtol=1e-5)


def test_relu_lines():
    x = torch.randn(3, 4)
    slope1, intercept1, slope2, intercept2 = relu_lines(x)
    assert torch.equal(torch.maximum(x * slope1 + intercept1, x * slope2 + intercept2), x.relu())
