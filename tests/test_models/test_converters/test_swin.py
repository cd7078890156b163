"""Swin checkpoints convert both ways, and a key without a place is named."""

import importlib.util

import pytest
import torch

from florence.models.backbones.coswin import CoSwin
from florence.models.backbones.video_coswin import VideoCoSwin
from florence.models.converters.swin import florence_to_swin, swin_to_florence

ARCH = dict(embed_dims=(8, 16, 32, 64), depths=(1, 2, 1, 1), num_heads=(1, 2, 2, 4), window_size=4)


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    return CoSwin(ARCH, embed='patch').state_dict()


@pytest.fixture
def video_weights() -> dict[str, torch.Tensor]:
    return VideoCoSwin(ARCH, embed='patch').state_dict()


@pytest.fixture
def tool(repo_root):
    path = repo_root / 'tools' / 'model_converters' / 'swin_to_florence.py'
    spec = importlib.util.spec_from_file_location('swin_to_florence', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def assert_same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    assert left.keys() == right.keys()
    for key, value in left.items():
        assert torch.equal(value, right[key]), key


@pytest.mark.parametrize('fmt', ['microsoft', 'timm', 'mmaction'])
def test_there_and_back(weights, fmt):
    assert_same(swin_to_florence(florence_to_swin(weights, fmt=fmt)), weights)


@pytest.mark.parametrize('fmt', ['microsoft', 'mmaction'])
def test_a_video_tower_there_and_back(video_weights, fmt):
    theirs = florence_to_swin(video_weights, fmt=fmt)
    assert theirs['patch_embed.proj.weight'].shape == (8, 3, 2, 4, 4)
    assert ('norm3.weight' if fmt == 'mmaction' else 'norm.weight') in theirs
    assert_same(swin_to_florence(theirs), video_weights)


def test_timm_has_no_video_tower(video_weights):
    with pytest.raises(ValueError, match='timm has no Video Swin'):
        florence_to_swin(video_weights, fmt='timm')


def test_keys_are_those_of_mmaction():
    swin = pytest.importorskip('mmaction.models.backbones.swin')
    with torch.device('meta'):
        ours = VideoCoSwin('tiny', embed='patch', window_size=[(8, 7, 7)] * 4)
    peer = swin.SwinTransformer3D('tiny')
    theirs = florence_to_swin(ours.state_dict(), fmt='mmaction')
    expected = {key: value.shape for key, value in peer.named_parameters()}
    assert {key: value.shape for key, value in theirs.items()} == expected


def test_the_formats_differ_in_the_place_of_the_downsampling(weights):
    microsoft, timm = florence_to_swin(weights, fmt='microsoft'), florence_to_swin(weights, fmt='timm')
    reduction = weights['stages.2.embed.reduction.weight']
    assert torch.equal(microsoft['layers.1.downsample.reduction.weight'], reduction)
    assert torch.equal(timm['layers.2.downsample.reduction.weight'], reduction)


def test_keys_are_those_of_timm():
    timm = pytest.importorskip('timm')
    peer = timm.create_model('swin_tiny_patch4_window7_224', num_classes=0)
    with torch.device('meta'):
        ours = florence_to_swin(CoSwin('tiny', embed='patch').state_dict(), fmt='timm')
    assert {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in peer.state_dict().items()}


def test_heads_and_buffers_are_left_out(weights):
    official = florence_to_swin(weights)
    official |= {
        'head.weight': torch.zeros(10, 64),
        'head.bias': torch.zeros(10),
        'layers.0.blocks.0.attn.relative_position_index': torch.zeros(16, 16, dtype=torch.long),
        'layers.1.blocks.1.attn_mask': torch.zeros(4, 16, 16),
    }
    assert_same(swin_to_florence(official), weights)


def test_a_prefix_picks_the_tower(weights):
    whole = {f'image_encoder.{key}': value for key, value in florence_to_swin(weights).items()}
    assert_same(swin_to_florence(whole | {'logit_scale': torch.zeros(())}, prefix='image_encoder.'), weights)
    with pytest.raises(ValueError, match="no key under 'visual.'"):
        swin_to_florence(whole, prefix='visual.')


def test_keys_without_a_place_are_named(weights):
    official = florence_to_swin(weights)
    del official['layers.1.blocks.1.mlp.fc1.bias']
    official['absolute_pos_embed'] = torch.zeros(1)
    with pytest.raises(ValueError, match='no place for absolute_pos_embed; missing layers.1.blocks.1.mlp.fc1.bias'):
        swin_to_florence(official)
    with pytest.raises(ValueError, match='no place for .*stages.1.embed.proj.weight'):
        florence_to_swin(CoSwin(ARCH).state_dict())
    with pytest.raises(ValueError, match='has no blocks of a Swin transformer'):
        swin_to_florence({'conv1.weight': torch.zeros(1)})
    with pytest.raises(ValueError, match="unknown format 'mmdet'"):
        florence_to_swin(weights, fmt='mmdet')


@pytest.mark.parametrize('wrapper', ['model', 'state_dict', None])
def test_command_line_reads_wrappers(tool, weights, tmp_path, wrapper):
    official = florence_to_swin(weights)
    torch.save({wrapper: official} if wrapper else official, tmp_path / 'swin.pth')
    tool.main([str(tmp_path / 'swin.pth'), str(tmp_path / 'ours.pth')])
    CoSwin(ARCH, embed='patch').load_state_dict(torch.load(tmp_path / 'ours.pth')['state_dict'], strict=True)
    assert_same(torch.load(tmp_path / 'ours.pth')['state_dict'], weights)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['ours.pth', 'swin.pth']


def test_command_line_goes_back(tool, weights, tmp_path):
    safetensors = pytest.importorskip('safetensors.torch')
    torch.save({'state_dict': {f'backbone.{key}': value for key, value in weights.items()}}, tmp_path / 'ours.pth')
    source = str(tmp_path / 'ours.pth')
    tool.main([source, str(tmp_path / 'swin.pth'), '--reverse', '--prefix', 'backbone.'])
    assert_same(torch.load(tmp_path / 'swin.pth')['model'], florence_to_swin(weights))
    tool.main(
        [
            source,
            str(tmp_path / 'a' / 'swin.safetensors'),
            '--reverse',
            '--format',
            'timm',
            '--prefix',
            'backbone.',
        ]
    )
    assert_same(safetensors.load_file(tmp_path / 'a' / 'swin.safetensors'), florence_to_swin(weights, fmt='timm'))


def test_command_line_takes_a_video_tower(tool, video_weights, tmp_path):
    """As mmaction2 saves it: below `backbone.`, beside a head and index buffers."""
    official = {f'backbone.{key}': value for key, value in florence_to_swin(video_weights, fmt='mmaction').items()}
    official |= {
        'cls_head.fc_cls.weight': torch.zeros(4, 64),
        'backbone.layers.0.blocks.0.attn.relative_position_index': torch.zeros(32, 32, dtype=torch.long),
    }
    torch.save({'state_dict': official}, tmp_path / 'swin.pth')
    tool.main([str(tmp_path / 'swin.pth'), str(tmp_path / 'ours.pth'), '--prefix', 'backbone.'])
    assert_same(torch.load(tmp_path / 'ours.pth')['state_dict'], video_weights)
    tool.main([str(tmp_path / 'ours.pth'), str(tmp_path / 'back.pth'), '--reverse', '--format', 'mmaction'])
    assert_same(torch.load(tmp_path / 'back.pth')['state_dict'], florence_to_swin(video_weights, fmt='mmaction'))


def test_command_line_mistakes_get_one_sentence(tool, weights, tmp_path):
    with pytest.raises(SystemExit, match='error: no checkpoint at .*absent.pth'):
        tool.main([str(tmp_path / 'absent.pth'), str(tmp_path / 'out.pth')])
    (tmp_path / 'broken.pth').write_bytes(b'not a checkpoint')
    with pytest.raises(SystemExit, match='error: .*broken.pth cannot be read as a weight file'):
        tool.main([str(tmp_path / 'broken.pth'), str(tmp_path / 'out.pth')])
    torch.save({'model': {'epoch': 3} | weights}, tmp_path / 'mixed.pth')
    with pytest.raises(SystemExit, match='entries that are no tensors: epoch'):
        tool.main([str(tmp_path / 'mixed.pth'), str(tmp_path / 'out.pth')])
    assert not (tmp_path / 'out.pth').exists()
