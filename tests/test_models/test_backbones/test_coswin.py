"""CoSwin: the backbone contract, sizes, parity with timm's and mmdet's Swin, windows of other sizes."""

import copy

import pytest
import torch
from mmengine.runner.checkpoint import load_state_dict as mmengine_load_state_dict

from florence.models.backbones import window_checkpoint
from florence.models.backbones.coswin import CoSwin
from florence.models.backbones.coswin_archs import ARCHS
from florence.models.converters.swin import florence_to_swin, swin_to_florence
from florence.registry import MODELS
from tests import backbone_contract as contract

SMALL_TINY = dict(embed_dims=(24, 48, 96, 192), depths=(2, 2, 2, 2), num_heads=(1, 2, 3, 6), window_size=7)
BUILDS = {
    'nano': lambda **kwargs: CoSwin('nano', **kwargs),
    'small tiny': lambda **kwargs: CoSwin(SMALL_TINY, **kwargs),
    'small swin': lambda **kwargs: CoSwin(SMALL_TINY, embed='patch', **kwargs),
}
TIMM_SWIN = 'swin_tiny_patch4_window7_224'
each_build = pytest.mark.parametrize('build', BUILDS.values(), ids=BUILDS.keys())


@each_build
@contract.each_check
def test_contract(build, check):
    check(build)


@each_build
def test_frozen_stages(build):
    contract.check_frozen(build, lambda model: [model.stages[0]])
    stem_only = build(frozen_stages=0).train()
    assert not any(parameter.requires_grad for parameter in stem_only.stages[0].embed.parameters())
    assert all(parameter.requires_grad for parameter in stem_only.stages[0].blocks.parameters())


def test_a_stem_of_stride_two():
    arch = dict(SMALL_TINY, stem_kernel=5, stem_stride=2)
    contract.check_shapes(lambda **kwargs: CoSwin(arch, **kwargs), (2, 4, 8, 16))


@pytest.mark.parametrize(
    ('arch', 'millions'),
    [('tiny', 29.46), ('small', 50.78), ('base', 90.19), ('large', 202.75), ('huge', 637.5)],
)
def test_parameters_and_head_width(arch, millions):
    with torch.device('meta'):
        model = CoSwin(arch)
    assert sum(parameter.numel() for parameter in model.parameters()) / 1e6 == pytest.approx(millions, rel=1e-3)
    sizes = ARCHS[arch]
    assert [32 * heads for heads in sizes['num_heads']] == list(sizes['embed_dims'])


def test_nano_is_small():
    assert 2e6 < sum(parameter.numel() for parameter in CoSwin('nano').parameters()) < 2.7e6


def test_builds_from_the_registry():
    model = MODELS.build(dict(type='CoSwin', arch='nano', out_indices=(1, 3)))
    assert model.out_channels == [96, 256] and model.embed_dims == 256 and model.num_features == [32, 96, 192, 256]


def test_stages_after_the_last_output_are_not_built():
    assert len(CoSwin('nano', out_indices=(0, 1)).stages) == 2


def test_drop_path_rises_over_the_blocks():
    blocks = [block for stage in CoSwin('nano', drop_path_rate=0.3).stages for block in stage.blocks]
    rates = [block.drop_path.drop_prob for block in blocks]
    assert rates == pytest.approx([0, 0.06, 0.12, 0.18, 0.24, 0.3])
    assert CoSwin('tiny').stages[-1].blocks[-1].drop_path.drop_prob == pytest.approx(0.2)


def test_every_second_block_is_shifted():
    shifted = [[block.attn.shifted for block in stage.blocks] for stage in CoSwin('nano').stages]
    assert shifted == [[False], [False, True], [False, True], [False]]


def test_checkpointing_per_stage():
    assert [stage.with_cp for stage in CoSwin('nano', with_cp=(True, False, True, False)).stages] == [
        True, False, True, False,
    ]  # fmt: skip


def shaken(model: torch.nn.Module) -> torch.nn.Module:
    """Biases, norms and bias tables away from their start, so that a swapped or lost one shows."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model.eval()


@pytest.mark.parametrize(
    ('height', 'width', 'depths'),
    [
        (224, 224, (2, 2, 6, 2)),
        # stage 4 is 14 x 7: one axis is shifted, the other is a single window
        (448, 224, (2, 2, 2, 2)),
        (200, 252, (2, 2, 6, 2)),  # maps of 50 x 63, 25 x 32, 13 x 16 and 7 x 8: padded and shifted windows
        (252, 292, (2, 2, 2, 2)),
    ],
)
def test_parity_with_timm(height, width, depths):
    timm = pytest.importorskip('timm')
    peer = shaken(timm.create_model(TIMM_SWIN, img_size=(height, width), depths=depths, num_classes=0))
    ours = CoSwin(dict(ARCHS['tiny'], depths=depths), embed='patch').eval()
    ours.load_state_dict(swin_to_florence(peer.state_dict()), strict=True)
    x = torch.randn(2, 3, height, width)
    with torch.no_grad():
        expected, output = peer.forward_features(x).permute(0, 3, 1, 2), ours(x)[0]
    assert output.shape == expected.shape
    assert (output - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_parity_with_mmdet_where_shifted_windows_are_padded():
    swin = pytest.importorskip('mmdet.models.backbones.swin')
    ours = shaken(CoSwin('tiny', embed='patch', shift_before_pad=False, out_indices=(0, 1, 2, 3)))
    peer = swin.SwinTransformer(embed_dims=96, depths=(2, 2, 6, 2), num_heads=(3, 6, 12, 24))
    peer.eval()
    norms = {key: value for key, value in ours.state_dict().items() if key.startswith('norm')}
    tower = {key: value for key, value in ours.state_dict().items() if key[:5] not in ('norm0', 'norm1', 'norm2')}
    official = florence_to_swin(tower, fmt='microsoft')
    del (
        official['norm.weight'],
        official['norm.bias'],
    )  # with four outputs the norms are numbered, as ours are
    weights = swin.swin_converter(official | norms)
    weights = {key.removeprefix('backbone.'): value for key, value in weights.items()}
    missing, unexpected = peer.load_state_dict(weights, strict=False)
    assert not unexpected and all(key.endswith('relative_position_index') for key in missing)
    x = torch.randn(1, 3, 262, 300)  # maps of 66 x 75, 33 x 38, 17 x 19 and 9 x 10: none a multiple of 7
    with torch.no_grad():
        pairs = list(zip(ours(x), peer(x), strict=True))
    for output, expected in pairs:
        assert output.shape == expected.shape
    assert (output - expected).abs().max() <= 1e-5 * expected.abs().max()


def old_checkpoint(model: CoSwin) -> dict[str, torch.Tensor]:
    """With the buffers that checkpoints used to hold."""
    state_dict = model.state_dict()
    for key in [key for key in state_dict if key.endswith('relative_position_bias_table')]:
        block = key.removesuffix('.attn.relative_position_bias_table')
        state_dict[f'{block}.attn.relative_position_index'] = torch.zeros(49, 49, dtype=torch.long)
        state_dict[f'{block}.attn_mask'] = torch.zeros(64, 49, 49)
    return state_dict


@pytest.mark.parametrize('load', ['torch', 'mmengine', 'nested'])
def test_windows_are_resized_on_loading(load, monkeypatch):
    said = []
    monkeypatch.setattr(window_checkpoint, 'print_log', lambda message, **_: said.append(message))
    small, large = shaken(CoSwin(SMALL_TINY)), CoSwin(SMALL_TINY, window_size=12).eval()
    checkpoint = old_checkpoint(small)
    before = copy.copy(checkpoint)
    if load == 'torch':
        large.load_state_dict(checkpoint, strict=True)
    elif load == 'mmengine':
        mmengine_load_state_dict(large, copy.copy(checkpoint), strict=True)
    else:
        nested = {f'backbone.{key}': value for key, value in checkpoint.items()}
        torch.nn.ModuleDict({'backbone': large}).load_state_dict(nested, strict=True)
    assert said == ['8 relative position bias tables resized from window 7 to 12']
    assert checkpoint.keys() == before.keys(), 'the checkpoint of the caller was changed'
    table = small.stages[2].blocks[1].attn.relative_position_bias_table.view(13, 13, 3).permute(2, 0, 1)
    expected = torch.nn.functional.interpolate(table[None], (23, 23), mode='bicubic')[0]  # (h, 23, 23)
    expected = expected.flatten(1).T
    torch.testing.assert_close(large.stages[2].blocks[1].attn.relative_position_bias_table, expected)
    assert torch.equal(large.stages[0].embed.proj.weight, small.stages[0].embed.proj.weight)


def test_same_windows_load_silently(monkeypatch):
    said = []
    monkeypatch.setattr(window_checkpoint, 'print_log', lambda message, **_: said.append(message))
    model = CoSwin(SMALL_TINY)
    model.load_state_dict(old_checkpoint(shaken(CoSwin(SMALL_TINY))), strict=True)
    assert said == []


def test_the_same_weights_serve_smaller_maps():
    """A 64 px image gives maps of 16, 8, 4 and 2 tokens to windows of 7, without padding."""
    model = shaken(CoSwin(SMALL_TINY))
    x = torch.randn(1, 3, 64, 64)
    seen = []
    attention = model.stages[3].blocks[1].attn
    attention.qkv.register_forward_pre_hook(lambda module, args: seen.append(tuple(args[0].shape)))
    with torch.no_grad():
        model(x)
    assert seen == [(1, 2, 2, 192)]


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(arch='giant'), "no arch 'giant': choose one of nano"),
        (dict(arch=dict(embed_dims=(8,), depths=(1,))), "missing .'num_heads', 'window_size'."),
        (dict(arch=dict(SMALL_TINY, widow_size=3)), "unknown .'widow_size'."),
        (dict(arch=dict(SMALL_TINY, depths=(1, 1))), 'one value per stage'),
        (dict(embed='convolution'), 'embed must be one of'),
        (dict(out_indices=(2, 1)), 'out_indices must rise within 0 .. 3'),
        (dict(out_indices=(4,)), 'out_indices must rise within 0 .. 3'),
        (dict(out_indices=()), 'out_indices must rise within 0 .. 3'),
        (dict(frozen_stages=5), 'frozen_stages must lie in -1 .. 4'),
        (dict(with_cp=(True,)), 'with_cp must be one bool or 4'),
        (dict(window_size=0), 'window_size must be at least 1'),
        (dict(drop_path_rate=1.0), 'drop path rate'),
    ],
)
def test_mistakes_get_a_sentence(kwargs, message):
    with pytest.raises(ValueError, match=message):
        CoSwin(**({'arch': 'nano'} | kwargs))


def test_compiles_to_one_graph():
    model, x = CoSwin('nano').eval(), torch.randn(1, 3, 61, 75)
    compiled = torch.compile(model, fullgraph=True, backend='eager')
    with torch.no_grad():
        torch.testing.assert_close(compiled(x)[0], model(x)[0], atol=1e-5, rtol=1e-5)
