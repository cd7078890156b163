"""Adapters of peft in Florence-2: which layers get them, what learns, and checkpoints with, without and after merging."""

import pytest
import torch
from mmengine.runner.checkpoint import load_state_dict
from tiny_florence2 import PROMPTS, TARGETS, samples, tiny_florence2

from florence.engine.fitting_weights import require_fitting_weights
from florence.layers import Linear
from florence.models.converters.florence2 import florence_to_florence2
from florence.models.florence2.lora import is_adapter, merge_lora
from florence.models.seq2seq import BeamSettings

# Two layers of encoder, of two attentions of decoder; five blocks of both kinds in the tower.
NUM_LANGUAGE = 2 * (4 + 2) + 2 * (8 + 2)
NUM_VISION = 5 * 2 * 4


def images(number=4):
    return torch.randn(number, 3, 96, 96, generator=torch.Generator().manual_seed(1))


def adapted(**options):
    """A model whose adapters have learned something."""
    torch.manual_seed(0)
    model = tiny_florence2(lora=dict(rank=2, vision=True) | options)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if is_adapter(name):
                parameter.normal_(std=0.1)
    return model


def logits(model):
    with torch.no_grad():
        input_ids, _ = model.training_tokens(TARGETS, 'abcd')
        memory, mask = model.encode(model(images()), PROMPTS, 'abcd')
        return model.language_model.logits(model.language_model.decode(input_ids, memory, mask))


@pytest.mark.parametrize(('vision', 'number'), [(False, NUM_LANGUAGE), (True, NUM_LANGUAGE + NUM_VISION)])
def test_every_layer_asked_for_gets_an_adapter_that_learns_and_nothing_else_does(vision, number):
    model = tiny_florence2(lora=dict(rank=2, drop_rate=0.1, vision=vision)).train()
    layers = [module for module in model.modules() if hasattr(module, 'lora_A')]
    assert len(layers) == number
    assert all(type(layer.get_base_layer()) is Linear for layer in layers), 'with the fast kernels as before'
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(2):  # one of the two matrices begins at zero
        optimizer.zero_grad()
        model.loss(images(), samples(4))['loss_text'].backward()
        optimizer.step()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == is_adapter(name), name
        assert torch.equal(parameter, before[name]) != is_adapter(name), name
    assert model.language_model.token_embedding.weight is model.language_model.model.shared.weight


def test_fresh_adapters_change_nothing_and_weights_without_them_load():
    plain = tiny_florence2()
    state = plain.state_dict()
    for load in (lambda m: m.load_state_dict(state, strict=False), lambda m: load_state_dict(m, state, strict=False)):
        model = tiny_florence2(lora=dict(rank=2, vision=True))
        require_fitting_weights(model, state, 'base.pth', complete=False)
        load(model)
        assert torch.equal(logits(model), logits(plain))
        assert {name for name in model.state_dict() if not is_adapter(name)} == set(state)


@pytest.mark.parametrize('rank_stabilized', [False, True])
def test_merged_weights_are_those_of_a_model_without_adapters(rank_stabilized):
    model, plain = adapted(rank_stabilized=rank_stabilized), tiny_florence2()
    again = tiny_florence2(lora=dict(rank=2, vision=True, rank_stabilized=rank_stabilized))
    again.load_state_dict(model.state_dict())
    assert torch.equal(logits(again), logits(model))
    wanted = logits(model)
    plain.load_state_dict({name: value for name, value in model.state_dict().items() if not is_adapter(name)})
    assert (logits(plain) - wanted).abs().max() > 1e-3, 'adapters that change nothing prove nothing'
    search = BeamSettings(num_beams=3, max_new_tokens=12, no_repeat_ngram_size=3)
    answers = [found[0].tokens for found in model.generate(model(images()), PROMPTS, search)]
    merge_lora(model)
    plain.load_state_dict(model.state_dict())  # strict
    torch.testing.assert_close(logits(plain), wanted, atol=1e-5, rtol=0)
    assert [found[0].tokens for found in plain.generate(plain(images()), PROMPTS, search)] == answers
    assert not any(is_adapter(name) or 'base_layer' in name for name, _ in model.named_parameters())


def test_frozen_stages_get_no_adapters():
    tower = dict(type='DaViT', arch=dict(embed_dims=(8, 16), depths=(1, 1), num_heads=(1, 2), window_size=4), out_indices=(1,))
    model = tiny_florence2(vision_tower=dict(tower, frozen_stages=1), lora=dict(vision=True))
    names = {name for name, _ in model.named_parameters() if is_adapter(name) and name.startswith('vision_tower')}
    assert names and all(name.startswith('vision_tower.stages.1.') for name in names)


@pytest.mark.parametrize(
    ('lora', 'sentence'),
    [
        (dict(rank=0), 'a rank of at least 1.*rank=0'),
        (dict(drop_rate=1.0), 'drop_rate in .0, 1.*drop_rate=1.0'),
        (dict(alpha=0), 'a positive alpha.*alpha=0'),
        (dict(targets=['q_proj', 'o_proj']), 'language_model has no linear layer o_proj.*it has fc1, fc2, k_proj, out_proj'),
        (dict(vision=True, vision_targets=['conv1']), 'vision_tower has no linear layer conv1.*it has fc1, fc2, proj, qkv'),
        (dict(targets=[]), 'language_model has no linear layer without a name'),
    ],
    ids=str,
)
def test_mistakes_end_with_a_sentence(lora, sentence):
    with pytest.raises(ValueError, match=sentence):
        tiny_florence2(lora=lora)


def test_a_frozen_tower_has_no_layer_for_adapters():
    tower = dict(type='FrozenBackbone', backbone=dict(type='DaViT', arch='nano'))
    with pytest.raises(ValueError, match='vision_tower has no linear layer qkv, .*none, because it is frozen'):
        tiny_florence2(vision_tower=tower, lora=dict(vision=True))


def test_adapters_of_a_checkpoint_are_never_dropped():
    state = adapted().state_dict()
    for load in (lambda m: m.load_state_dict(state), lambda m: load_state_dict(m, state, strict=False)):
        with pytest.raises(ValueError, match='has LoRA adapters, this model has none.*merge_lora.py'):
            load(tiny_florence2())
        with pytest.raises(ValueError, match=r'are not those of this model: .*lora_A.default.weight is \(2, .* and \(4, '):
            load(tiny_florence2(lora=dict(rank=4, vision=True)))
        with pytest.raises(ValueError, match='vision_tower.* and missing here'):
            load(tiny_florence2(lora=dict(rank=2)))
    with pytest.raises(ValueError, match='LoRA adapters.*merge_lora.py'):
        florence_to_florence2(state, 'microsoft')
    with pytest.raises(ValueError, match='no adapters to merge'):
        merge_lora(tiny_florence2())
