"""A vision tower of Florence-2 that is frozen, in part or whole: it does not change, and its maps can be kept."""

import pytest
import torch
from tiny_florence2 import PROMPTS, hf_florence2, same_weights, samples, tiny_florence2

from florence.engine.optimizers import GroupedOptimWrapperConstructor
from florence.models.converters.florence2 import florence2_to_florence, florence_to_florence2

TOWER = dict(type='DaViT', arch=dict(embed_dims=(8, 16, 32, 64), depths=(1, 1, 2, 1), num_heads=(1, 2, 4, 8), window_size=4))
STAGES = [['stages.0.', 'stages.1.'], ['stages.0.', 'stages.1.', 'stages.2.', 'stages.3.']]


def images(number=4):
    return torch.randn(number, 3, 96, 96, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize('optimizer', ['grouped', 'plain'])
@pytest.mark.parametrize(
    ('tower', 'frozen'),
    [
        (dict(TOWER, frozen_stages=2), STAGES[0]),
        (dict(TOWER, frozen_stages=4), STAGES[1]),
        (dict(type='FrozenBackbone', backbone=TOWER), ['']),
    ],
    ids=['two stages', 'all stages', 'wrapped'],
)
def test_what_is_frozen_stays_bit_equal_under_weight_decay(tower, frozen, optimizer):
    model = tiny_florence2(vision_tower=tower).train()
    is_frozen = {name: name.startswith(tuple(f'vision_tower.{part}' for part in frozen)) for name in model.state_dict()}
    before = {name: value.clone() for name, value in model.state_dict().items()}
    if optimizer == 'grouped':
        cfg = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.01, weight_decay=0.5))
        update = GroupedOptimWrapperConstructor(cfg)(model).optimizer
        updated = {id(value) for group in update.param_groups for value in group['params']}
        assert updated == {id(value) for value in model.parameters() if value.requires_grad}
    else:
        update = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.5)
    model.loss(images(), samples(4))['loss_text'].backward()
    update.step()
    trained = dict(zip(before, model.state_dict(keep_vars=True).values(), strict=True))
    for name, value in trained.items():
        if is_frozen[name]:
            assert value.grad is None and not value.requires_grad and torch.equal(value, before[name]), name
        elif isinstance(value, torch.nn.Parameter):
            assert value.grad is not None and not torch.equal(value, before[name]), name
    inner = getattr(model.vision_tower, 'backbone', model.vision_tower)
    for stage, module in enumerate(inner.stages):
        learns = any(parameter.requires_grad for parameter in module.parameters())
        assert module.training == learns == (not is_frozen[f'vision_tower.stages.{stage}.embed.proj.weight'])


def test_released_weights_load_into_a_frozen_tower_and_come_back():
    hf = hf_florence2()
    plain, frozen = same_weights(hf), same_weights(hf, vision_tower=dict(type='FrozenBackbone', backbone=TOWER))
    with torch.no_grad():
        assert torch.equal(plain(images()), frozen(images()))
    assert set(plain.state_dict()) == set(frozen.state_dict())
    theirs = florence_to_florence2(frozen.state_dict(), 'transformers')
    assert all(torch.equal(theirs[name], value) for name, value in hf.state_dict().items() if name in theirs)
    assert florence2_to_florence(theirs, 1300).keys() == frozen.state_dict().keys() - {'tokenizer._extra_state'}


def test_the_second_epoch_computes_no_map_and_is_bit_equal(tmp_path):
    torch.manual_seed(0)
    tower = dict(type='FrozenBackbone', backbone=TOWER, cache=dict(folder=str(tmp_path)))
    model = tiny_florence2(vision_tower=tower).train()
    calls = []
    model.vision_tower.backbone.register_forward_pre_hook(lambda module, inputs: calls.append(len(inputs[0])))
    epochs = []
    for order in ([0, 1, 2, 3], [0, 1, 2, 3], [2, 0, 3, 1]):
        model.zero_grad()
        loss = model.loss(images()[order], [samples(4)[index] for index in order])['loss_text']
        loss.backward()
        epochs.append((loss, model.projector.image_projection.weight.grad))
    assert calls == [4]
    assert torch.equal(epochs[0][0], epochs[1][0]) and torch.equal(epochs[0][1], epochs[1][1])
    torch.testing.assert_close(epochs[2], epochs[0], rtol=1e-4, atol=1e-6)
    (entry, *_) = tmp_path.rglob('*.pt')
    assert [tuple(level.shape) for level in torch.load(entry)] == [(64, 3, 3)], 'the last map alone'
    model.eval()
    first = [found[0].tokens for found in model.generate(model(images()), PROMPTS)]
    model.vision_tower.cache = None
    assert [found[0].tokens for found in model.generate(model(images()), PROMPTS)] == first
