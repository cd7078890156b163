"""Dynamic Head: contract, options, and parity with mmdet's neck."""

import copy
import warnings

import mmcv.ops
import pytest
import torch
from torch import nn

from florence.models.converters.dyhead import dyhead_to_florence
from florence.models.heads import DyHead
from florence.registry import MODELS

SIZES = [(37, 53), (19, 27), (10, 14), (5, 7), (3, 4)]


def pyramid(channels=32, sizes=SIZES, batch=2):
    return [torch.randn(batch, channels, *size, requires_grad=True) for size in sizes]


def randomized(head, std=0.05):
    """Offsets, gates and lines away from their start."""
    for module in head.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.normal_(module.weight, std=std)
            nn.init.normal_(module.bias, std=std)
    for block in head.blocks:
        # not negative, where the gate of the official code has no slope
        nn.init.constant_(block.scale_gate.linear.bias, 0.5)
    return head


def gradients(outputs, inputs, seed=7):
    generator = torch.Generator().manual_seed(seed)
    upstream = [torch.randn(output.shape, generator=generator).to(output.dtype) for output in outputs]
    return torch.autograd.grad(outputs, inputs, upstream)


def assert_close(actual, expected, tolerance=1e-5):
    actual, expected = actual.detach(), expected.detach()
    assert actual.shape == expected.shape
    assert expected.any()
    assert (actual - expected).abs().max() <= tolerance * max(1.0, float(expected.abs().max()))


def mmdet_peer(in_channels, out_channels, num_blocks, bias):
    from mmdet.models.necks import DyHead as Peer

    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # on the default of mmcv's hard sigmoid
        peer = Peer(in_channels, out_channels, num_blocks)
    for module in peer.modules():
        if isinstance(getattr(module, 'conv', None), mmcv.ops.ModulatedDeformConv2d) and bias:
            old = module.conv
            module.conv = type(old)(old.in_channels, old.out_channels, 3, old.stride, old.padding, bias=True)
    for parameter in peer.parameters():
        nn.init.normal_(parameter, std=0.05)
    for block in peer.dyhead_blocks:
        nn.init.constant_(block.scale_attn_module[1].bias, 0.5)
    return peer


def as_microsoft(mmdet):
    """mmdet's weights as Microsoft's checkpoints hold them, written out a second time to check the converter."""
    result = {}
    for key, value in mmdet.items():
        for old, new in (
            ('dyhead_blocks', 'dyhead_tower'),
            ('spatial_conv_high', 'DyConv.0'),
            ('spatial_conv_mid', 'DyConv.1'),
            ('spatial_conv_low', 'DyConv.2'),
            ('spatial_conv_offset', 'offset'),
            ('scale_attn_module', 'AttnConv'),
            ('task_attn_module.conv1.conv', 'relu.fc.0'),
            ('task_attn_module.conv2.conv', 'relu.fc.2'),
            ('.norm.', '.bn.'),
        ):
            key = key.replace(old, new)
        result[key] = value[:, :, 0, 0] if 'relu' in key and value.ndim == 4 else value
    return result


def official_pair(bias):
    """Ours and mmdet's with the same weights; with biases in the deformable convolutions as in Microsoft's code."""
    peer = mmdet_peer(24, 32, 2, bias)
    rename = as_microsoft if bias else dict
    ours = DyHead(24, 32, 2, offset_mode='official', dcn_bias=bias)
    ours.load_state_dict(dyhead_to_florence(rename(peer.state_dict())))
    return ours, peer, rename


@pytest.mark.parametrize('bias', [False, True])
def test_official_mode_computes_what_mmdet_does(bias):
    ours, peer, _ = official_pair(bias)
    levels = pyramid(24)
    outputs = ours(levels)
    assert isinstance(outputs, tuple)
    for actual, expected in zip(outputs, peer(levels), strict=True):
        assert_close(actual, expected)


@pytest.mark.parametrize('bias', [False, True])
def test_official_mode_has_the_gradients_of_mmdet(bias):
    """Of all inputs and parameters; in float64, since in float32 a sample may fall on either side of a pixel: a slope jumps."""
    ours, peer, rename = official_pair(bias)
    ours, peer = ours.double(), peer.double()
    levels = [level.detach().double().requires_grad_() for level in pyramid(24)]
    theirs = gradients(peer(levels), [*levels, *peer.parameters()])
    by_peer_name = dict(zip(dict(peer.named_parameters()), theirs[len(levels) :], strict=True))
    by_our_name = dyhead_to_florence(rename(by_peer_name))
    ours_by_name = dict(ours.named_parameters())
    found = gradients(ours(levels), [*levels, *ours_by_name.values()])
    for actual, expected in zip(found, [*theirs[: len(levels)], *(by_our_name[name] for name in ours_by_name)], strict=True):
        assert_close(actual, expected, tolerance=1e-9)


def test_a_block_has_the_official_number_of_parameters():
    with torch.device('meta'):
        blocks = DyHead(256, 256, 6).blocks
    # three biased convolutions with their norms, offsets, scale gate, dynamic ReLU
    expected = 3 * (256 * 256 * 9 + 256 + 512) + 256 * 27 * 9 + 27 + 257 + 256 * 64 + 64 + 64 * 1024 + 1024
    assert expected == 1_917_276
    assert [sum(parameter.numel() for parameter in block.parameters()) for block in blocks] == [expected] * 6


@pytest.mark.parametrize('offset_mode', ['interp', 'official', 'upsample_first'])
def test_gradients_reach_every_parameter(offset_mode):
    head = MODELS.build(dict(type='florence.DyHead', in_channels=24, out_channels=32, num_blocks=2, offset_mode=offset_mode))
    for block in head.blocks:
        nn.init.constant_(block.scale_gate.linear.bias, 0.5)
    levels = pyramid(24)
    outputs = head(levels)
    assert [output.shape for output in outputs] == [(2, 32, *size) for size in SIZES]
    for gradient in gradients(outputs, [*levels, *head.parameters()]):
        assert gradient.isfinite().all() and gradient.any()


# Neither exact halves nor of one ratio; a level of one pixel; one level alone; the coarse ones first.
@pytest.mark.parametrize('sizes', [[(20, 33), (7, 16), (5, 5), (1, 1)], [(9, 11)], [(4, 4), (8, 8)]])
@pytest.mark.parametrize('offset_mode', ['interp', 'upsample_first'])
def test_levels_of_any_size(sizes, offset_mode):
    head = randomized(DyHead(16, 16, 2, offset_mode=offset_mode))
    levels = pyramid(16, sizes)
    outputs = head(levels)
    assert [output.shape[2:] for output in outputs] == sizes
    assert all(gradient.isfinite().all() and gradient.any() for gradient in gradients(outputs, levels))


def test_an_image_alone_gives_what_it_gives_in_a_batch():
    head = randomized(DyHead(16, 16, 2)).eval()
    levels = [level.detach() for level in pyramid(16, SIZES[1:])]
    together = head(levels)
    alone = head([level[1:].clone() for level in levels])
    for one, both in zip(alone, together, strict=True):
        assert_close(one, both[1:])


def test_state_dict_round_trip():
    head = randomized(DyHead(16, 16, 2))
    copied = DyHead(16, 16, 2)
    copied.load_state_dict(head.state_dict(), strict=True)
    levels = pyramid(16, SIZES[2:])
    assert all(torch.equal(one, other) for one, other in zip(head(levels), copied(levels), strict=True))


def test_recomputed_blocks_have_the_same_gradients():
    kept = randomized(DyHead(16, 16, 2))
    recomputed = DyHead(16, 16, 2, with_cp=True)
    recomputed.load_state_dict(kept.state_dict())
    calls = []
    recomputed.blocks[0].register_forward_pre_hook(lambda *_: calls.append(1))
    levels = pyramid(16, SIZES[2:])
    pairs = [gradients(head(levels), [*levels, *head.parameters()]) for head in (kept, recomputed)]
    assert all(torch.equal(one, other) for one, other in zip(*pairs, strict=True))
    assert len(calls) == 2


def test_bfloat16_autocast_keeps_offsets_in_float32():
    head = randomized(DyHead(32, 32, 2), std=0.02)
    seen = []
    for block in head.blocks:
        for branch in (block.own, block.finer, block.coarser):
            branch.conv.register_forward_pre_hook(lambda _, inputs: seen.append({tensor.dtype for tensor in inputs[1:]}))
    levels = pyramid(32, SIZES[1:])
    expected = head(levels)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        actual = head(levels)
        halved = head([level.bfloat16() for level in levels])
    assert len(seen) == 3 * 2 * (4 + 3 + 3) and all(dtypes == {torch.float32} for dtypes in seen)
    for other in (actual, halved):
        for one, reference in zip(other, expected, strict=True):
            assert (one - reference).norm() < 0.02 * reference.norm()
    parameters = list(head.parameters())
    for one, reference in zip(gradients(actual, parameters), gradients(expected, parameters), strict=True):
        assert one.dtype == torch.float32
        assert (one - reference).norm() < 0.3 * reference.norm()  # of some scalars sums that almost cancel


def test_a_model_in_bfloat16_runs():
    head = randomized(DyHead(32, 32, 1), std=0.02)
    levels = [level.detach() for level in pyramid(32, SIZES[2:])]
    expected = head(levels)
    for one, reference in zip(copy.deepcopy(head).bfloat16()([level.bfloat16() for level in levels]), expected, strict=True):
        assert one.dtype == torch.bfloat16
        assert (one - reference).norm() < 0.03 * reference.norm()


def test_without_a_norm_the_maps_keep_their_scale():
    """Masks start at a half, which no norm would bring back."""
    head = DyHead(8, 8, 1, norm_groups=None, task_attention=False)
    block = head.blocks[0]
    level = torch.rand(1, 8, 9, 9)
    for parameter in block.scale_gate.parameters():
        nn.init.constant_(parameter, 0)
    nn.init.constant_(block.scale_gate.linear.bias, 10.0)  # a gate of 1
    nn.init.dirac_(block.own.conv.weight)
    assert_close(head([level])[0], level)


def test_scale_gates_of_code_and_paper():
    ranges = {}
    for scale_range in ('code', 'paper'):
        gate = DyHead(16, 16, 1, scale_range=scale_range).blocks[0].scale_gate
        nn.init.constant_(gate.linear.weight, 1.0)
        values = gate(torch.linspace(-4, 4, 101)[:, None].expand(101, 16) / 16)
        ranges[scale_range] = (values.min().item(), values.max().item())
    assert ranges == {'code': (0.5, 1.0), 'paper': (0.0, 1.0)}


def test_without_task_attention_a_relu_is_left():
    head = randomized(DyHead(16, 16, 1, task_attention=False))
    outputs = head(pyramid(16, SIZES[2:]))
    assert all((output >= 0).all() and (output == 0).any() for output in outputs)
    assert not any('task' in name for name, _ in head.named_parameters())


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(offset_mode='nearest'), "offset_mode must be one of interp, official, upsample_first, not 'nearest'"),
        (dict(scale_range='unit'), "scale_range must be one of code, paper, not 'unit'"),
        (dict(num_blocks=0), 'num_blocks must be 1 at least, not 0'),
        (dict(norm_groups=5), 'out_channels=16 cannot be divided into norm_groups=5'),
    ],
)
def test_arguments_without_a_meaning_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        DyHead(16, 16, **kwargs)


def test_levels_that_do_not_fit_are_named():
    head = DyHead(16, 16, 1)
    with pytest.raises(ValueError, match=r'one map or more, each of 16 channels, but got channels \[\]'):
        head([])
    with pytest.raises(ValueError, match=r'each of 16 channels, but got channels \[16, 8\]'):
        head([torch.randn(1, 16, 8, 8), torch.randn(1, 8, 4, 4)])
    with pytest.raises(ValueError, match="offset_mode='official' needs levels that get smaller"):
        DyHead(16, 16, 1, offset_mode='official')(pyramid(16, [(4, 4), (8, 8)]))
