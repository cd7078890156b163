"""Weights of an image tower, and of other windows, for a video tower."""

import copy

import pytest
import torch
from mmengine.runner import save_checkpoint
from mmengine.runner.checkpoint import load_state_dict as mmengine_load_state_dict

from florence.models.backbones import inflation as module
from florence.models.backbones.coswin import CoSwin
from florence.models.backbones.inflation import inflate_kernel, inflate_table, resize_table
from florence.models.backbones.video_coswin import VideoCoSwin

SMALL = dict(embed_dims=(8, 16, 16, 32), depths=(1, 2, 1, 1), num_heads=(1, 2, 2, 4), window_size=5)


@pytest.fixture
def said(monkeypatch):
    messages = []
    monkeypatch.setattr(module, 'print_log', lambda message, **_: messages.append(message))
    return messages


@pytest.mark.parametrize('inflation', ['average', 'center'])
@pytest.mark.parametrize('steps', [1, 2, 3])
def test_kernels_keep_their_sum(inflation, steps):
    kernel = torch.randn(4, 3, 5, 5)
    inflated = inflate_kernel(kernel, steps, inflation)
    assert inflated.shape == (4, 3, steps, 5, 5)
    torch.testing.assert_close(inflated.sum(2), kernel)
    if inflation == 'center':
        assert inflated.abs().sum((0, 1, 3, 4)).count_nonzero() == 1
    else:
        torch.testing.assert_close(inflated[:, :, 0], kernel / steps)


@pytest.mark.parametrize('window', [(1, 5, 5), (4, 5, 5), (3, 4, 2), (2, 1, 5)])
def test_the_centre_is_exact_for_each_offset(window):
    table = torch.randn(81, 3)
    fitted = inflate_table(table, window).view(*(2 * side - 1 for side in window), 3)
    image = table.view(9, 9, 3)
    for row in range(1 - window[1], window[1]):
        for column in range(1 - window[2], window[2]):
            same = fitted[:, row + window[1] - 1, column + window[2] - 1]
            assert torch.equal(same, image[row + 4, column + 4].expand_as(same))


def test_other_numbers_of_steps():
    """Fewer take the middle of the offsets, more repeat the farthest; what both have stays."""
    table = torch.randn(7, 9, 2)
    shorter = resize_table(table.flatten(0, 1), (2, 2, 2), 'table').view(3, 9, 2)
    assert torch.equal(shorter, table[2:5])
    longer = resize_table(table.flatten(0, 1), (6, 2, 2), 'table').view(11, 9, 2)
    assert torch.equal(longer[2:9], table)
    assert torch.equal(longer[:2], table[:1].expand(2, -1, -1)) and torch.equal(longer[9:], table[-1:].expand(2, -1, -1))


def test_other_sides():
    table = torch.randn(5, 81, 2)
    smaller = resize_table(table.flatten(0, 1), (3, 4, 4), 'table').view(5, 7, 7, 2)
    assert torch.equal(smaller, table.view(5, 9, 9, 2)[:, 1:-1, 1:-1])
    larger = resize_table(table.flatten(0, 1), (3, 8, 8), 'table').view(5, 15, 15, 2)
    grid = table.view(5, 9, 9, 2).permute(0, 3, 1, 2)
    expected = torch.nn.functional.interpolate(grid, (15, 15), mode='bicubic').permute(0, 2, 3, 1)
    torch.testing.assert_close(larger, expected)
    same = table.flatten(0, 1)
    assert resize_table(same, (3, 5, 5), 'table') is same


def test_a_table_of_no_such_window_is_named():
    with pytest.raises(ValueError, match=r'stages.0.table has 50 rows, expected 245 for a window of \(3, 4, 4\)'):
        resize_table(torch.zeros(50, 2), (3, 4, 4), 'stages.0.table')
    with pytest.raises(ValueError, match='or other sides, its rows do not tell which'):
        resize_table(torch.zeros(3 * 225, 2), (2, 3, 3), 'stages.0.table')  # sides of 8, or 14 steps


@pytest.mark.parametrize('load', ['torch', 'mmengine', 'nested', 'init_cfg'])
def test_ways_to_load(load, said, tmp_path):
    """All run the same; the caller's checkpoint stays as it is."""
    tower = CoSwin(SMALL)
    weights = tower.state_dict() | {'stages.0.blocks.0.attn.relative_position_index': torch.zeros(25, 25)}
    before = copy.copy(weights)
    video = VideoCoSwin(SMALL)
    if load == 'torch':
        video.load_state_dict(weights)
    elif load == 'mmengine':
        mmengine_load_state_dict(video, copy.copy(weights), strict=True)
    elif load == 'nested':
        nested = {f'image_tower.{key}': value for key, value in weights.items()}
        torch.nn.ModuleDict({'image_tower': video}).load_state_dict(nested)
    else:
        save_checkpoint({'state_dict': {f'image_tower.{key}': value for key, value in weights.items()}}, str(tmp_path / 'a.pth'))
        init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'a.pth'), prefix='image_tower.')
        video = VideoCoSwin(SMALL, init_cfg=init_cfg)
        video.init_weights()
    assert said == ['4 kernels inflated (average), 5 relative position bias tables fitted to the windows of the clip']
    assert weights.keys() == before.keys() and all(torch.equal(weights[key], before[key]) for key in before)
    expected = tower.stages[0].embed.proj.weight.unsqueeze(2).expand(-1, -1, 2, -1, -1) / 2
    torch.testing.assert_close(video.stages[0].embed.proj.weight, expected)
    table = video.stages[2].blocks[0].attn.relative_position_bias_table
    assert torch.equal(table, tower.stages[2].blocks[0].attn.relative_position_bias_table.repeat(15, 1))


def test_a_video_tower_loads_silently_and_whole(said):
    first, second = VideoCoSwin(SMALL), VideoCoSwin(SMALL)
    second.load_state_dict(first.state_dict())
    assert said == []
    assert all(torch.equal(value, second.state_dict()[key]) for key, value in first.state_dict().items())


def test_a_video_tower_of_other_windows(said):
    first, second = VideoCoSwin(SMALL), VideoCoSwin(SMALL, window_size=[(4, 5, 5)] * 4)
    second.load_state_dict(first.state_dict())
    assert said == ['0 kernels inflated (average), 3 relative position bias tables fitted to the windows of the clip']
    table = first.stages[3].blocks[0].attn.relative_position_bias_table.view(31, 81, 4)
    assert torch.equal(second.stages[3].blocks[0].attn.relative_position_bias_table.view(7, 81, 4), table[12:-12])


def test_another_arch_is_refused():
    with pytest.raises(RuntimeError, match='Missing key'):
        VideoCoSwin(SMALL).inflate_from(CoSwin(dict(SMALL, depths=(1, 1, 1, 1))).state_dict())


@pytest.mark.parametrize('strict', [True, False])
def test_wider_weights_are_refused_also_where_others_fit(strict):
    wider = CoSwin(dict(SMALL, embed_dims=(8, 16, 16, 64))).state_dict()
    with pytest.raises(ValueError, match=r'stages.3.embed.*of the checkpoint is \(64,.*another arch than this VideoCoSwin'):
        VideoCoSwin(SMALL).load_state_dict(wider, strict=strict)
