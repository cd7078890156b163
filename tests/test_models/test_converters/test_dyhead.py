"""Dynamic Head checkpoints convert both ways, and a key without a place is named."""

import importlib.util

import pytest
import torch

from florence.models.converters.dyhead import dyhead_to_florence, florence_to_dyhead
from florence.models.heads import DyHead

# One block of dyhead/dyhead.py in microsoft/DynamicHead, 32 channels.
MICROSOFT_SHAPES = {
    **{f'DyConv.{branch}.conv.weight': (32, 32, 3, 3) for branch in range(3)},
    **{f'DyConv.{branch}.{part}': (32,) for branch in range(3) for part in ('conv.bias', 'bn.weight', 'bn.bias')},
    'AttnConv.1.weight': (1, 32, 1, 1),
    'AttnConv.1.bias': (1,),
    'relu.fc.0.weight': (8, 32),
    'relu.fc.0.bias': (8,),
    'relu.fc.2.weight': (128, 8),
    'relu.fc.2.bias': (128,),
    'offset.weight': (27, 32, 3, 3),
    'offset.bias': (27,),
}


@pytest.fixture
def tool(repo_root):
    path = repo_root / 'tools' / 'model_converters' / 'dyhead_to_florence.py'
    spec = importlib.util.spec_from_file_location('dyhead_to_florence', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def weights(bias=True, blocks=2):
    return DyHead(32, 32, blocks, dcn_bias=bias).state_dict()


def assert_same(left, right):
    assert left.keys() == right.keys()
    for key, value in left.items():
        assert torch.equal(value, right[key]), key


@pytest.mark.parametrize(('fmt', 'bias'), [('microsoft', True), ('mmdet', False)])
def test_there_and_back(fmt, bias):
    ours = weights(bias)
    assert_same(dyhead_to_florence(florence_to_dyhead(ours, fmt=fmt)), ours)


def test_names_and_shapes_are_those_of_microsoft():
    official = florence_to_dyhead(weights())
    expected = {f'dyhead_tower.{block}.{key}': shape for block in range(2) for key, shape in MICROSOFT_SHAPES.items()}
    assert {key: tuple(value.shape) for key, value in official.items()} == expected


def test_names_and_shapes_are_those_of_mmdet():
    from mmdet.models.necks import DyHead as Peer

    peer = Peer(32, 32, 2)
    converted = florence_to_dyhead(weights(bias=False), fmt='mmdet')
    own = peer.state_dict()
    assert {key: value.shape for key, value in converted.items()} == {key: value.shape for key, value in own.items()}


def test_the_branches_keep_their_levels():
    """Microsoft numbers them: the coarser level, the own one, the finer one."""
    ours = weights(blocks=1)
    official = florence_to_dyhead(ours)
    for number, branch in enumerate(('coarser', 'own', 'finer')):
        assert torch.equal(official[f'dyhead_tower.0.DyConv.{number}.conv.weight'], ours[f'blocks.0.{branch}.conv.weight'])


@pytest.mark.parametrize('prefix', [None, 'backbone.'])
def test_the_head_is_found_in_a_detector(prefix):
    ours = weights()
    detector = {f'backbone.{key}': value for key, value in florence_to_dyhead(ours).items()}
    detector |= {'backbone.fpn.weight': torch.zeros(1), 'head.cls_logits.weight': torch.zeros(1)}
    assert_same(dyhead_to_florence(detector, prefix=prefix), ours)


def test_heads_that_are_absent_or_several_are_named():
    with pytest.raises(ValueError, match='expected one Dynamic Head, with keys like .*; found none'):
        dyhead_to_florence({'backbone.conv1.weight': torch.zeros(1)})
    official = florence_to_dyhead(weights())
    two = {f'{prefix}{key}': value for key, value in official.items() for prefix in ('teacher.', 'student.')}
    with pytest.raises(ValueError, match='found student.dyhead_tower, teacher.dyhead_tower'):
        dyhead_to_florence(two)
    with pytest.raises(ValueError, match="expected one Dynamic Head under 'neck.1.'"):
        dyhead_to_florence(official, prefix='neck.1.')
    with pytest.raises(ValueError, match=r"no key that starts with 'neck.1.blocks.'; its first is 'blocks.0"):
        florence_to_dyhead(weights(), prefix='neck.1.')


def test_keys_without_a_place_are_named():
    official = florence_to_dyhead(weights())
    del official['dyhead_tower.0.offset.bias']
    official['dyhead_tower.1.relu.spa.weight'] = torch.zeros(1)
    message = 'no place for dyhead_tower.1.relu.spa.weight; missing dyhead_tower.0.offset.bias'
    with pytest.raises(ValueError, match=message):
        dyhead_to_florence(official)
    with pytest.raises(ValueError, match='dcn_bias=False: no place for blocks.0.coarser.conv.bias, .*; missing none'):
        florence_to_dyhead(weights(), fmt='mmdet')
    with pytest.raises(ValueError, match='dcn_bias=True: no place for none; missing blocks.0.coarser.conv.bias'):
        florence_to_dyhead(weights(bias=False))
    with pytest.raises(ValueError, match="unknown format 'glip'"):
        florence_to_dyhead(weights(), fmt='glip')


def test_command_line_goes_both_ways(tool, tmp_path):
    ours = weights(bias=False)
    source, middle, target = (str(tmp_path / name) for name in ('epoch_1.pth', 'mmdet.pth', 'ours.pth'))
    torch.save({'state_dict': {f'neck.1.{key}': value for key, value in ours.items()}}, source)
    tool.main([source, middle, '--reverse', '--format', 'mmdet', '--prefix', 'neck.1.'])
    assert_same(torch.load(middle)['state_dict'], florence_to_dyhead(ours, fmt='mmdet'))
    tool.main([middle, target])
    DyHead(32, 32, 2, dcn_bias=False).load_state_dict(torch.load(target)['state_dict'], strict=True)
    assert_same(torch.load(target)['state_dict'], ours)


def test_command_line_mistakes_get_one_sentence(tool, tmp_path):
    with pytest.raises(SystemExit, match='error: no checkpoint at .*absent.pth'):
        tool.main([str(tmp_path / 'absent.pth'), str(tmp_path / 'out.pth')])
    torch.save({'model': {'stem.weight': torch.zeros(1)}}, tmp_path / 'other.pth')
    with pytest.raises(SystemExit, match='error: expected one Dynamic Head'):
        tool.main([str(tmp_path / 'other.pth'), str(tmp_path / 'out.pth')])
    assert not (tmp_path / 'out.pth').exists()
