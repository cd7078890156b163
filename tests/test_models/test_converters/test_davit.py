"""DaViT checkpoints convert both ways under the names of each of their makers, and a key without a place is named."""

import importlib.util

import pytest
import torch

from florence.models.backbones.davit import DaViT
from florence.models.converters.davit import FORMATS, davit_to_florence, florence_to_davit

ARCH = dict(embed_dims=(8, 16, 32, 64), depths=(1, 2, 1, 1), num_heads=(1, 2, 4, 8), window_size=4)
IMAGENET = dict(ARCH, down_kernel=2, channel_attention='heads')


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    return DaViT(ARCH).state_dict()


@pytest.fixture
def tool(repo_root):
    path = repo_root / 'tools' / 'model_converters' / 'davit_to_florence.py'
    spec = importlib.util.spec_from_file_location('davit_to_florence', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def assert_same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    assert left.keys() == right.keys()
    for key, value in left.items():
        assert torch.equal(value, right[key]), key


@pytest.mark.parametrize('fmt', FORMATS)
@pytest.mark.parametrize('arch', [ARCH, IMAGENET], ids=['florence2', 'imagenet'])
def test_there_and_back(arch, fmt):
    weights = DaViT(arch).state_dict()
    assert_same(davit_to_florence(florence_to_davit(weights, fmt=fmt)), weights)


@pytest.mark.parametrize(
    ('fmt', 'key', 'ours'),
    [
        ('microsoft', 'convs.2.proj.weight', 'stages.2.embed.proj.weight'),
        (
            'microsoft',
            'blocks.1.1.spatial_block.window_attn.fn.qkv.weight',
            'stages.1.blocks.1.spatial_block.attn.qkv.weight',
        ),
        ('microsoft', 'blocks.1.0.channel_block.conv2.fn.dw.weight', 'stages.1.blocks.0.channel_block.conv2.weight'),
        ('microsoft', 'blocks.1.0.channel_block.ffn.fn.net.fc1.bias', 'stages.1.blocks.0.channel_block.mlp.fc1.bias'),
        ('imagenet', 'patch_embeds.0.norm.weight', 'stages.0.embed.norm.weight'),
        ('imagenet', 'main_blocks.1.1.1.cpe.0.proj.weight', 'stages.1.blocks.1.channel_block.conv1.weight'),
    ],
)
def test_names_of_the_makers(weights, fmt, key, ours):
    marked = florence_to_davit({name: torch.full_like(value, float(name == ours)) for name, value in weights.items()}, fmt=fmt)
    assert [name for name, value in marked.items() if value.any()] == [key]


@pytest.mark.parametrize('arch', ['florence2-base', 'florence2-large'])
def test_keys_are_those_of_transformers(arch):
    modeling = pytest.importorskip('transformers.models.florence2.modeling_florence2')
    with torch.device('meta'):
        ours = DaViT(arch)
        heads = [dims // 32 for dims in ours.num_features]
        depths = [len(stage.blocks) for stage in ours.stages]
        config = modeling.Florence2VisionConfig(embed_dim=ours.num_features, depths=depths, num_heads=heads, num_groups=heads)
        peer = modeling.Florence2VisionBackbone(config)
    assert shapes(florence_to_davit(ours.state_dict(), fmt='transformers')) == shapes(peer.state_dict())


@pytest.mark.parametrize(
    ('arch', 'name'),
    [
        ('tiny', 'davit_tiny'),
        ('small', 'davit_small'),
        ('base', 'davit_base'),
        ('florence2-base', 'davit_base_fl'),
        ('florence2-large', 'davit_huge_fl'),
    ],
)
def test_keys_are_those_of_timm(arch, name):
    timm = pytest.importorskip('timm')
    peer = timm.create_model(name, num_classes=0, device='meta').state_dict()
    with torch.device('meta'):
        ours = florence_to_davit(DaViT(arch).state_dict(), fmt='timm')
    assert shapes(ours) == {key: shape for key, shape in shapes(peer).items() if not key.startswith('head.')}


def shapes(state_dict: dict[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {key: value.shape for key, value in state_dict.items()}


@pytest.mark.parametrize('fmt', FORMATS)
def test_heads_are_left_out(weights, fmt):
    head = {'head.fc.weight': torch.zeros(3, 64), 'head.norm.weight': torch.zeros(64), 'norms.weight': torch.zeros(64)}
    assert_same(davit_to_florence(florence_to_davit(weights, fmt=fmt) | head), weights)


def test_norms_of_outputs_are_carried_where_there_is_a_place():
    detector = DaViT(IMAGENET, out_indices=(0, 1, 2, 3), out_norms=True).state_dict()
    theirs = florence_to_davit(detector, fmt='imagenet')
    assert 'norm0.weight' in theirs
    assert_same(davit_to_florence(theirs), detector)
    with pytest.raises(ValueError, match='no place for norm0.bias'):
        florence_to_davit(detector, fmt='microsoft')


def test_a_prefix_picks_the_tower(weights):
    whole = {f'vision_tower.{key}': value for key, value in florence_to_davit(weights).items()}
    assert_same(davit_to_florence(whole | {'image_projection': torch.zeros(2)}, prefix='vision_tower.'), weights)
    with pytest.raises(ValueError, match="no key under 'visual.'"):
        davit_to_florence(whole, prefix='visual.')


def test_keys_without_a_place_are_named(weights):
    official = florence_to_davit(weights)
    del official['blocks.1.1.channel_block.ffn.norm.bias']
    official['pos_embed'] = torch.zeros(1)
    with pytest.raises(ValueError, match='no place for pos_embed; missing blocks.1.1.channel_block.ffn.norm.bias'):
        davit_to_florence(official)
    with pytest.raises(ValueError, match='no stem of a DaViT: expected a key among .*stem.conv.weight'):
        davit_to_florence({'conv1.weight': torch.zeros(1)})
    with pytest.raises(ValueError, match="unknown format 'mmdet'"):
        florence_to_davit(weights, fmt='mmdet')


def test_command_line_there_and_back(tool, weights, tmp_path):
    official = {f'vision_tower.{key}': value for key, value in florence_to_davit(weights).items()}
    torch.save(official | {'image_projection': torch.zeros(2)}, tmp_path / 'florence2.pth')
    tool.main([str(tmp_path / 'florence2.pth'), str(tmp_path / 'ours.pth'), '--prefix', 'vision_tower.'])
    assert_same(torch.load(tmp_path / 'ours.pth')['state_dict'], weights)
    tool.main([str(tmp_path / 'ours.pth'), str(tmp_path / 'timm.pth'), '--reverse', '--format', 'timm'])
    assert_same(torch.load(tmp_path / 'timm.pth'), florence_to_davit(weights, fmt='timm'))
    with pytest.raises(SystemExit, match="error: the checkpoint has no key under 'backbone.'"):
        tool.main([str(tmp_path / 'ours.pth'), str(tmp_path / 'out.pth'), '--prefix', 'backbone.'])
    assert not (tmp_path / 'out.pth').exists()
