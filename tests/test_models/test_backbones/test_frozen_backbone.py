"""The frozen wrapper: no gradient, no change of mode or of state-dict names; features from disk equal computed ones."""

import pytest
import torch
from mmengine.runner.checkpoint import load_state_dict
from torch import nn

from florence.models.backbones import CoSwin, FrozenBackbone

ARCH = dict(embed_dims=(8, 16), depths=(1, 1), num_heads=(1, 2), window_size=4)


def coswin():
    return dict(type='florence.CoSwin', arch=ARCH, out_indices=(0, 1))


def counted(backbone):
    calls = []
    backbone.backbone.register_forward_pre_hook(lambda module, inputs: calls.append(len(inputs[0])))
    return calls


def test_equals_its_backbone_without_gradient_or_mode():
    backbone = FrozenBackbone(coswin()).train()
    images = torch.randn(2, 3, 32, 48, requires_grad=True)
    assert backbone.training and not backbone.backbone.training
    for ours, theirs in zip(backbone(images), backbone.backbone(images), strict=True):
        assert torch.equal(ours, theirs)
        assert not ours.requires_grad
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    assert backbone.embed_dims == 16


@pytest.mark.parametrize('load', [lambda m, s: m.load_state_dict(s), lambda m, s: load_state_dict(m, s, strict=True)])
def test_state_dict_is_that_of_the_backbone(load):
    plain = CoSwin(ARCH, out_indices=(0, 1))
    holder = nn.ModuleDict(dict(tower=FrozenBackbone(coswin()), other=nn.Linear(2, 2)))
    names = {f'tower.{name}' for name in plain.state_dict()}
    assert names == {name for name in holder.state_dict() if name.startswith('tower.')}
    state = {f'tower.{name}': value for name, value in plain.state_dict().items()} | {
        f'other.{name}': value for name, value in nn.Linear(2, 2).state_dict().items()
    }
    load(holder, state)
    assert all(torch.equal(holder.state_dict()[name], value) for name, value in state.items())


def test_cache_gives_the_same_features_without_a_forward_pass(tmp_path):
    backbone = FrozenBackbone(coswin(), cache=dict(folder=str(tmp_path)))
    calls, images = counted(backbone), torch.randn(3, 3, 32, 32)
    first = backbone(images)
    mixed = backbone(torch.cat([images[2:], torch.randn(1, 3, 32, 32), images[:1]]))
    again = backbone(images)
    assert calls == [3, 1]
    assert (backbone.cache.hits, backbone.cache.misses) == (5, 4)
    for one, two, three in zip(first, again, mixed, strict=True):
        assert torch.equal(one, two)
        assert torch.equal(one[[2, 0]], three[[0, 2]])


def test_features_of_half_precision_are_not_found_in_full(tmp_path):
    backbone = FrozenBackbone(coswin(), cache=dict(folder=str(tmp_path)))
    images = torch.randn(1, 3, 32, 32)
    with torch.autocast('cpu', torch.bfloat16):
        backbone(images)
    for ours, theirs in zip(backbone(images), backbone.backbone(images), strict=True):
        assert torch.equal(ours, theirs)


def test_other_weights_find_nothing(tmp_path):
    backbone = FrozenBackbone(coswin(), cache=dict(folder=str(tmp_path)))
    calls, images = counted(backbone), torch.randn(1, 3, 32, 32)
    before = backbone(images)
    backbone.load_state_dict(CoSwin(ARCH, out_indices=(0, 1)).state_dict())
    after = backbone(images)
    assert calls == [1, 1]
    assert not torch.equal(before[1], after[1])


def test_half_precision_cache_and_its_bound(tmp_path):
    backbone = FrozenBackbone(coswin(), cache=dict(folder=str(tmp_path), dtype='bfloat16', max_gigabytes=1e-6))
    calls, images = counted(backbone), torch.randn(2, 3, 32, 32)
    exact = backbone(images[:1])
    close = backbone(images[:1])
    assert close[1].dtype == torch.float32
    torch.testing.assert_close(close[1], exact[1], rtol=1e-2, atol=1e-2)
    backbone(images[1:])
    backbone(images[1:])
    assert calls == [1, 1, 1], 'the first entry filled the folder'


def test_broken_entry_is_computed_again(tmp_path):
    backbone = FrozenBackbone(coswin(), cache=dict(folder=str(tmp_path)))
    calls, images = counted(backbone), torch.randn(1, 3, 32, 32)
    first = backbone(images)
    (entry,) = tmp_path.rglob('*.pt')
    entry.write_bytes(entry.read_bytes()[:100])
    assert torch.equal(backbone(images)[1], first[1])
    assert torch.equal(backbone(images)[1], first[1])
    assert calls == [1, 1]


def test_autocast_gives_float32_maps_close_to_the_exact_ones():
    plain = FrozenBackbone(coswin())
    half = FrozenBackbone(plain.backbone, autocast='bfloat16')
    images = torch.randn(1, 3, 32, 32)
    assert half(images)[1].dtype == torch.float32
    torch.testing.assert_close(half(images)[1], plain(images)[1], rtol=0.1, atol=0.1)
    assert not torch.equal(half(images)[1], plain(images)[1])


def test_unknown_choices_are_named():
    with pytest.raises(ValueError, match="autocast must be one of .*'float64'"):
        FrozenBackbone(coswin(), autocast='float64')
    with pytest.raises(ValueError, match="dtype must be one of .*'int8'"):
        FrozenBackbone(coswin(), cache=dict(folder='x', dtype='int8'))
