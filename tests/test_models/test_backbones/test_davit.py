"""DaViT: the backbone contract, sizes, parity with transformers' and timm's in value and gradient."""

import pytest
import torch
from torch import nn

from florence.models.backbones.davit import DaViT
from florence.models.converters.davit import davit_to_florence
from florence.registry import MODELS
from tests import backbone_contract as contract

SMALL = dict(embed_dims=(8, 16, 32, 64), depths=(1, 1, 2, 1), num_heads=(1, 2, 4, 8), window_size=4, drop_path_rate=0.0)
SMALL_IMAGENET = dict(SMALL, window_size=3, down_kernel=2, channel_attention='heads')
BUILDS = {
    'florence2': lambda **kwargs: DaViT(SMALL, **kwargs),
    'imagenet': lambda **kwargs: DaViT(SMALL_IMAGENET, **kwargs),
    'norms': lambda **kwargs: DaViT(SMALL, out_norms=True, **kwargs),
}
each_build = pytest.mark.parametrize('build', BUILDS.values(), ids=BUILDS.keys())


def shaken(model: nn.Module) -> nn.Module:
    """Biases and norms away from their start, so that a swapped or lost one shows."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model.eval()


@each_build
@contract.each_check
def test_contract(build, check):
    check(build)


@each_build
def test_frozen_stages(build):
    contract.check_frozen(build, lambda model: [model.stages[0], *([] if isinstance(model.norm3, nn.Identity) else [])])
    stem_only = build(frozen_stages=0).train()
    assert not any(parameter.requires_grad for parameter in stem_only.stages[0].embed.parameters())
    assert all(parameter.requires_grad for parameter in stem_only.stages[0].blocks.parameters())


def test_a_step_changes_what_is_not_frozen_alone():
    model = DaViT(SMALL, frozen_stages=2).train()
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)
    model(contract.images())[0].square().sum().backward()
    optimizer.step()
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) == name.startswith(('stages.0', 'stages.1')), name


@pytest.mark.parametrize(
    ('arch', 'tower', 'with_head'),
    [
        # of the ImageNet classifiers the papers count the last norm and the 1,000 classes, too
        ('tiny', 27.590, 28.360),
        ('small', 48.975, 49.746),
        ('base', 86.927, 87.954),
        ('florence2-base', 90.368, None),
        ('florence2-large', 360.632, None),
    ],
)
def test_parameters(arch, tower, with_head):
    with torch.device('meta'):
        model = DaViT(arch)
    count = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    assert count == pytest.approx(tower, abs=1e-3)
    if with_head:
        assert count + (2 * model.embed_dims + 1000 * (model.embed_dims + 1)) / 1e6 == pytest.approx(with_head, abs=1e-3)


def test_nano_is_small_and_sees_sixteen_tokens_of_a_scene():
    model = DaViT('nano')
    assert 2e6 < sum(parameter.numel() for parameter in model.parameters()) < 3e6
    assert model(torch.zeros(1, 3, 64, 64))[0].shape == (1, 256, 4, 4)


def test_builds_from_the_registry():
    model = MODELS.build(dict(type='DaViT', arch='nano', out_indices=(1, 3), with_cp=(True, False, True, False)))
    assert model.out_channels == [64, 256] and model.embed_dims == 256 and len(model.stages) == 4
    assert [stage.with_cp for stage in model.stages] == [True, False, True, False]
    assert len(DaViT('nano', out_indices=(0, 1)).stages) == 2


def test_drop_path_rises_over_both_halves_of_the_blocks():
    blocks = [block for stage in DaViT(SMALL, drop_path_rate=0.9).stages for block in stage.blocks]
    rates = [half.drop_path.drop_prob for block in blocks for half in (block.spatial_block, block.channel_block)]
    assert rates == pytest.approx([index / 10 for index in range(10)])
    assert DaViT('tiny').stages[-1].blocks[-1].channel_block.drop_path.drop_prob == pytest.approx(0.1)


def test_depth_of_parameters():
    model = DaViT(SMALL, out_norms=True)
    depths = {name: model.parameter_depth(name) for name, _ in model.named_parameters()}
    assert depths['stages.0.embed.proj.weight'] == (0, 6) and depths['norm3.weight'] == (6, 6)
    assert depths['stages.2.embed.norm.bias'] == (3, 6)
    assert depths['stages.2.blocks.1.channel_block.attn.qkv.weight'] == (4, 6)


def transformers_tower(arch: dict) -> nn.Module:
    modeling = pytest.importorskip('transformers.models.florence2.modeling_florence2')
    heads = list(arch['num_heads'])
    config = modeling.Florence2VisionConfig(
        embed_dim=list(arch['embed_dims']),
        depths=list(arch['depths']),
        num_heads=heads,
        num_groups=heads,
        window_size=arch['window_size'],
        drop_path_rate=0.0,
    )
    return modeling.Florence2VisionBackbone(config)


def timm_tower(name: str, **kwargs) -> nn.Module:
    return pytest.importorskip('timm').create_model(name, num_classes=0, **kwargs)


FLORENCE2_TIMM = dict(depths=SMALL['depths'], embed_dims=(32, 64, 128, 256), num_heads=SMALL['num_heads'])
WIDE = dict(SMALL, embed_dims=FLORENCE2_TIMM['embed_dims'], window_size=12)
PEERS = {
    'transformers': (lambda: transformers_tower(WIDE), WIDE, lambda peer, x: peer(x).last_hidden_state),
    'davit_base_fl': (lambda: timm_tower('davit_base_fl', **FLORENCE2_TIMM), WIDE, lambda peer, x: peer.forward_features(x)),
    'davit_huge_fl': (
        lambda: timm_tower('davit_huge_fl', **FLORENCE2_TIMM | dict(num_heads=(2, 4, 8, 16))),
        WIDE | dict(num_heads=(2, 4, 8, 16)),
        lambda peer, x: peer.forward_features(x),
    ),
    'davit_tiny': (lambda: timm_tower('davit_tiny'), 'tiny', lambda peer, x: peer.forward_features(x)),
}


@pytest.mark.parametrize(
    ('height', 'width'),
    [
        (96, 192),
        # maps of 25 x 56, 13 x 28, 7 x 14 and 4 x 7: windows of 12 and of 7 are padded
        (98, 221),
    ],
)
@pytest.mark.parametrize('name', PEERS)
def test_parity(name, height, width):
    build, arch, features = PEERS[name]
    peer = shaken(build())
    ours = DaViT(arch, drop_path_rate=0.0).eval()
    ours.load_state_dict(davit_to_florence(peer.state_dict()), strict=True)
    x = torch.randn(2, 3, height, width)
    expected, output = features(peer, x), ours(x)[0]
    assert output.shape == expected.shape
    assert (output - expected).abs().max() <= 1e-5 * expected.abs().max()
    weights = torch.randn_like(expected)
    (expected * weights).sum().backward()
    (output * weights).sum().backward()
    # gradients of the peer under our names
    theirs = davit_to_florence({key: parameter.grad for key, parameter in peer.named_parameters() if parameter.grad is not None})
    for key, parameter in ours.named_parameters():
        # a bias of all keys alike changes no logit of a softmax over keys: its gradient is rounding
        left, right = parameter.grad.flatten(), theirs[key].flatten()
        assert (left - right).norm() <= 1e-4 * right.norm(), key
        assert torch.cosine_similarity(left, right, 0) > 0.9999, key


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(arch='huge'), "DaViT has no arch 'huge': choose one of nano"),
        (dict(arch=dict(embed_dims=(8,), depths=(1,))), "missing .'num_heads', 'window_size'."),
        (dict(arch=dict(SMALL, widow_size=3)), "unknown .'widow_size'."),
        (dict(arch=dict(SMALL, depths=(1, 1))), 'one value per stage'),
        (dict(channel_attention='groups'), 'channel attention has the forms'),
        (dict(out_indices=(2, 1)), 'out_indices must rise within 0 .. 3'),
        (dict(frozen_stages=5), 'frozen_stages must lie in -1 .. 4'),
        (dict(with_cp=(True,)), 'with_cp must be one bool or 4'),
        (dict(drop_path_rate=1.0), 'drop path rate'),
    ],
)
def test_mistakes_get_a_sentence(kwargs, message):
    with pytest.raises(ValueError, match=message):
        DaViT(**({'arch': 'nano'} | kwargs))


def test_weights_of_another_arch_are_named():
    with pytest.raises(ValueError, match=r'stages.0.embed.proj.weight of the checkpoint is \(8, 3, 7, 7\), expected \(32,'):
        DaViT('nano').load_state_dict(DaViT(SMALL).state_dict())


def test_compiles_to_one_graph():
    arch = dict(embed_dims=(8, 16), depths=(1, 1), num_heads=(1, 2), window_size=4)
    model, x = DaViT(arch, out_indices=(0, 1)).eval(), torch.randn(1, 3, 61, 75)
    compiled = torch.compile(model, fullgraph=True, backend='aot_eager')
    for output, expected in zip(compiled(x), model(x), strict=True):
        torch.testing.assert_close(output, expected, atol=1e-5, rtol=1e-5)
