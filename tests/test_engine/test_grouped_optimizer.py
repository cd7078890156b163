"""Parameter groups: what is decayed, which rates apply, how few groups there are."""

import pytest
import torch
from torch import nn

from florence.engine.optimizers import GroupedOptimWrapperConstructor


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.image_tower = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
        self.text_tower = nn.ModuleDict(dict(token_embedding=nn.Embedding(5, 4), fc=nn.Linear(4, 4)))
        self.relative_position_bias_table = nn.Parameter(torch.zeros(9, 2))
        self.special = nn.Parameter(torch.zeros(2, 2))
        self.logit_scale = nn.Parameter(torch.tensor(1.0))

    def no_weight_decay(self):
        return {'special'}


def build(**paramwise):
    cfg = dict(optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.05))
    return GroupedOptimWrapperConstructor(cfg, paramwise or None)(model := Model()), model


def settings(wrapper, model):
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        names[id(parameter)]: (group['lr'], group['weight_decay'])
        for group in wrapper.optimizer.param_groups
        for parameter in group['params']
    }


def test_only_matrices_decay_and_groups_are_few():
    wrapper, model = build()
    found = settings(wrapper, model)
    assert len(wrapper.optimizer.param_groups) == 2 and len(found) == len(list(model.parameters()))
    assert {name for name, (_, decay) in found.items() if decay} == {'image_tower.0.weight', 'text_tower.fc.weight'}


def test_multipliers_by_the_longest_match():
    keys = dict(text_tower=dict(lr_mult=0.1), **{'text_tower.fc': dict(lr_mult=0.5, decay_mult=2.0)})
    wrapper, model = build(custom_keys=keys, no_decay_names=('image_tower',))
    found = settings(wrapper, model)
    assert found['text_tower.token_embedding.weight'] == (pytest.approx(0.01), 0.0)
    assert found['text_tower.fc.weight'] == (pytest.approx(0.05), pytest.approx(0.1))
    assert found['image_tower.0.weight'] == (0.1, 0.0)


def test_frozen_parameters_are_left_out():
    model = Model()
    model.image_tower.requires_grad_(False)
    wrapper = GroupedOptimWrapperConstructor(dict(optimizer=dict(type='SGD', lr=0.1)))(model)
    assert not any('image_tower' in name for name in settings(wrapper, model))


def test_mistakes_are_named():
    with pytest.raises(ValueError, match='match no parameter'):
        build(custom_keys=dict(txt_tower=dict(lr_mult=0.1)))
    with pytest.raises(ValueError, match='norm_decay_mult'):
        build(norm_decay_mult=0.0)


class Towers(nn.Module):
    def __init__(self):
        super().__init__()
        from florence.models.backbones import CoSwin
        from florence.models.language import TextTransformer

        self.image_tower = CoSwin('nano')
        self.text_tower = TextTransformer(vocab_size=10, embed_dims=8, num_layers=2, num_heads=2, mlp_dims=16)
        self.image_proj = nn.Linear(256, 8, bias=False)


def test_layer_decay_shrinks_the_rate_towards_the_input():
    model = Towers()
    cfg = dict(optimizer=dict(type='AdamW', lr=1.0, weight_decay=0.05))
    found = settings(GroupedOptimWrapperConstructor(cfg, dict(layer_decay=0.5))(model), model)
    rate = {name: lr for name, (lr, _) in found.items()}
    assert len(found) == len(list(model.parameters()))
    # Six blocks in stages of 1, 2, 2 and 1: seven steps from the stem to the norm.
    assert rate['image_tower.stages.0.embed.proj.weight'] == pytest.approx(0.5**7)
    assert rate['image_tower.stages.0.blocks.0.attn.qkv.weight'] == pytest.approx(0.5**6)
    assert rate['image_tower.stages.1.embed.proj.weight'] == pytest.approx(0.5**5)
    assert rate['image_tower.stages.1.blocks.0.attn.qkv.weight'] == pytest.approx(0.5**5)
    assert rate['image_tower.stages.3.blocks.0.mlp.fc1.weight'] == pytest.approx(0.5)
    assert rate['image_tower.norm3.weight'] == rate['image_proj.weight'] == 1
    assert rate['text_tower.token_embedding.weight'] == rate['text_tower.positional_embedding'] == pytest.approx(0.5**3)
    assert rate['text_tower.blocks.1.norm1.weight'] == pytest.approx(0.5)


def test_layer_decay_needs_layers_and_a_factor():
    with pytest.raises(ValueError, match='parameter_depth'):
        build(layer_decay=0.9)
    with pytest.raises(ValueError, match=r'\(0, 1\]'):
        build(layer_decay=1.5)
