"""Tokens that a user adds: their rows, and on demand those of locations, are all of the table that learns."""

import pytest
import torch
from mmengine.runner.checkpoint import load_state_dict
from tiny_florence2 import PROMPTS, TARGETS, VOCAB_SIZE, tiny_florence2

from florence.engine.fitting_weights import require_fitting_weights
from florence.models.converters.florence2 import florence_to_florence2
from florence.models.florence2.token_table import TokenTable
from florence.structures import ImageTextSample

NEW = ['<ship>', 'kühl wie Eis']
TABLE = 'language_model.model.shared.weight'


def images(number=4):
    return torch.randn(number, 3, 96, 96, generator=torch.Generator().manual_seed(1))


def with_new_tokens():
    pairs = zip(PROMPTS, [*TARGETS[:2], '<ship>kühl wie Eis', 'a <ship>'], strict=True)
    return [ImageTextSample(prompt=prompt, target=target) for prompt, target in pairs]


@pytest.mark.parametrize('lora', [None, dict(rank=2)])
@pytest.mark.parametrize('groups', [['new'], ['new', 'locations'], ['locations']])
def test_other_rows_stay_bit_equal_under_weight_decay(groups, lora):
    model = tiny_florence2(new_tokens=NEW, trained_tokens=groups, lora=lora).train()
    words = model.tokenizer.tokenizer
    ids = torch.cat([dict(new=words.new_ids(), locations=words.location_ids())[group] for group in groups])
    before = model.state_dict()[TABLE].clone()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.5)
    for _ in range(2):
        optimizer.zero_grad()
        model.loss(images(), with_new_tokens())['loss_text'].backward()
        optimizer.step()
    after = model.state_dict()[TABLE]
    learned = torch.zeros(len(before), dtype=torch.bool)
    learned[ids] = True
    assert torch.equal(after[~learned], before[~learned])
    assert ((after != before).any(1) == learned).all()
    assert model.language_model.token_embedding.rows.shape == (len(ids), 32)


def test_gradients_and_loss_are_those_of_the_whole_table():
    whole = tiny_florence2(new_tokens=NEW)
    part = tiny_florence2(new_tokens=NEW, trained_tokens=['new', 'locations'])
    part.load_state_dict(whole.state_dict())  # strict: the names are the same
    losses = [model.loss(images(), with_new_tokens())['loss_text'] for model in (whole, part)]
    assert losses[0] == losses[1]
    for loss in losses:
        loss.backward()
    table = part.language_model.token_embedding
    assert isinstance(table, TokenTable) and table.weight.grad is None
    wanted = whole.language_model.token_embedding.weight.grad
    torch.testing.assert_close(table.rows.grad, wanted[table.ids])
    with torch.no_grad():
        table.rows += 1  # what has been learned is what is read, written and saved
        whole.language_model.token_embedding.weight[table.ids] += 1
    assert torch.equal(part.state_dict()[TABLE], whole.state_dict()[TABLE])
    answers = [model.generate(model(images()), PROMPTS) for model in (whole, part)]
    assert [found[0].tokens for found in answers[0]] == [found[0].tokens for found in answers[1]]


def test_new_tokens_are_found_in_texts_and_come_back():
    words = tiny_florence2(new_tokens=NEW).tokenizer.tokenizer
    assert words.vocab_size == VOCAB_SIZE + 2 and words.new_ids().tolist() == [VOCAB_SIZE, VOCAB_SIZE + 1]
    text = 'a <ship><loc_3>, kühl wie Eis<loc_999>, kühl'
    ids = words([text])['input_ids'][0].tolist()
    assert ids.count(VOCAB_SIZE) == ids.count(VOCAB_SIZE + 1) == 1
    assert words.decode(ids) == text
    plain = tiny_florence2().tokenizer.tokenizer
    assert words([PROMPTS[2]])['input_ids'].tolist() == plain([PROMPTS[2]])['input_ids'].tolist()


@pytest.mark.parametrize('load', [lambda m, s: m.load_state_dict(s), lambda m, s: load_state_dict(m, s, strict=True)])
@pytest.mark.parametrize('trained_tokens', [None, ['new']])
def test_weights_that_know_fewer_tokens_load(load, trained_tokens):
    torch.manual_seed(0)
    for known in ([], NEW[:1]):
        state = tiny_florence2(new_tokens=known).state_dict()
        given = state[TABLE].clone()
        model = tiny_florence2(new_tokens=NEW, trained_tokens=trained_tokens)
        require_fitting_weights(model, state, 'base.pth', complete=True)
        load(model, state)
        table = model.state_dict()[TABLE]
        assert torch.equal(table[: len(given)], given) and torch.equal(state[TABLE], given)
        fresh = table[len(given) :] - given.mean(0)
        assert len(fresh) == 2 - len(known) and 0.01 < fresh.std() < 0.04


def test_transformers_has_a_token_for_images_before_those_of_a_user():
    state = tiny_florence2(new_tokens=NEW).state_dict()
    words = state[TABLE]
    theirs = florence_to_florence2(state, 'transformers', num_rows=1344)['model.language_model.shared.weight']
    assert len(theirs) == 1344 and torch.equal(theirs[:VOCAB_SIZE], words[:VOCAB_SIZE])
    assert torch.equal(theirs[VOCAB_SIZE + 1 : VOCAB_SIZE + 3], words[VOCAB_SIZE:])
    torch.testing.assert_close(theirs[VOCAB_SIZE], words[:VOCAB_SIZE].mean(0))
    assert torch.equal(florence_to_florence2(state, 'microsoft')[TABLE], words)


def test_mistakes_end_with_a_sentence():
    with pytest.raises(ValueError, match="names 'new', but the tokenizer has no new_tokens"):
        tiny_florence2(trained_tokens=['new'])
    for wrong in ('new', [], ['new', 'boxes']):
        with pytest.raises(ValueError, match=r"some of \['locations', 'new'\], got"):
            tiny_florence2(new_tokens=NEW, trained_tokens=wrong)
    for tokens, sentence in (
        ('<ship>', 'must be a list of texts'),
        ([' ship'], 'neither begin nor end with a space'),
        (['<a>', '<a>'], 'must differ'),
        (['<loc_3>'], "the vocabulary has '<loc_3>' already"),
    ):
        with pytest.raises(ValueError, match=sentence):
            tiny_florence2(new_tokens=tokens)
    state = tiny_florence2(new_tokens=NEW).state_dict()
    for other in ([], ['<boat>', '<ship>']):
        with pytest.raises(ValueError, match='was trained with the new tokens .*<ship>.*begin with those of the checkpoint'):
            tiny_florence2(new_tokens=other).load_state_dict(state)
