"""Florence2 against transformers' Florence2ForConditionalGeneration with the same weights, and its own promises."""

import copy

import pytest
import torch
import torch.nn.functional as F
from tiny_florence2 import (
    POSITIONS,
    PROMPTS,
    TARGETS,
    convert,
    hf_florence2,
    hf_inputs,
    same_weights,
    samples,
    tiny_florence2,
)

from florence.models.florence2.answering import rows_without_token
from florence.models.florence2.image_tokens import ImageTokens
from florence.models.florence2.language_model import LanguageModel
from florence.models.florence2.smooth_locations import smooth_rows_
from florence.models.seq2seq import BeamSettings
from florence.structures import ImageTextSample

# 96 px: 3 x 3 places and the average; padding of windows at 160 px.
SIZES = pytest.mark.parametrize(('size', 'num_image_tokens'), [((96, 96), 10), ((96, 160), 16)])


@pytest.fixture(scope='module')
def pair():
    hf = hf_florence2(init_std=0.3)
    return hf, same_weights(hf)


def images(*size, number=4):
    return torch.randn(number, 3, *size, generator=torch.Generator().manual_seed(1))


@SIZES
@torch.no_grad()
def test_image_tokens_and_logits_equal_those_of_transformers(pair, size, num_image_tokens):
    hf, model = pair
    inputs = images(*size)
    found = model(inputs)
    torch.testing.assert_close(found, hf.get_image_features(inputs).pooler_output, atol=1e-5, rtol=1e-5)
    assert found.shape[1] == num_image_tokens
    input_ids, targets = model.training_tokens(TARGETS, 'abcd')
    memory, mask = model.encode(found, PROMPTS, 'abcd')
    logits = model.language_model.logits(model.language_model.decode(input_ids, memory, mask))
    wanted = hf(**hf_inputs(model, inputs, PROMPTS, num_image_tokens), decoder_input_ids=input_ids).logits
    torch.testing.assert_close(logits, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('with_cp', [False, True])
def test_loss_and_gradients_equal_those_of_transformers(with_cp):
    hf = hf_florence2()
    model = same_weights(hf, with_cp=with_cp).train()
    inputs = images(96, 160)
    _, targets = model.training_tokens(TARGETS, 'abcd')
    theirs = hf(**hf_inputs(model, inputs, PROMPTS, 16), labels=targets.masked_fill(targets < 0, -100))
    ours = model.loss(inputs, samples(4))
    torch.testing.assert_close(ours['loss_text'], theirs.loss, atol=1e-5, rtol=1e-5)
    guesses = theirs.logits.argmax(2)[targets >= 0]
    torch.testing.assert_close(ours['token_accuracy'], (guesses == targets[targets >= 0]).float().mean())
    theirs.loss.backward()
    ours['loss_text'].backward()
    buffer = 'model.multi_modal_projector.visual_temporal_embed.pos_idx_to_embed'
    wanted = convert({name: parameter.grad for name, parameter in hf.named_parameters()} | {buffer: torch.zeros(1)})
    found = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert set(wanted) - set(found) == {'projector.visual_temporal_embed.pos_idx_to_embed', 'tokenizer._extra_state'}
    for name, gradient in found.items():
        assert gradient is not None, name
        if wanted[name].norm() > 1e-7:  # the bias of keys changes nothing, its gradient is noise
            assert F.cosine_similarity(gradient.flatten(), wanted[name].flatten(), dim=0) > 0.9999, name


@pytest.mark.parametrize(
    'search',
    [
        dict(num_beams=1),
        dict(num_beams=1, no_repeat_ngram_size=3),
        dict(num_beams=3),
        dict(num_beams=3, no_repeat_ngram_size=3, early_stopping=True),
    ],
    ids=str,
)
@SIZES
def test_answers_and_their_scores_equal_those_of_transformers(pair, search, size, num_image_tokens):
    hf, model = pair
    prompts, inputs = PROMPTS * 2, images(*size, number=8)
    search = dict(max_new_tokens=20, no_repeat_ngram_size=0) | search
    generated = hf.generate(
        **hf_inputs(model, inputs, prompts, num_image_tokens), **search, do_sample=False, forced_bos_token_id=0,
        forced_eos_token_id=2, return_dict_in_generate=True, output_scores=True, output_logits=True,
    )  # fmt: skip
    if search['num_beams'] > 1:
        transitions = hf.compute_transition_scores(generated.sequences, generated.scores, generated.beam_indices)
    else:  # of greedy search: without rules but for forced tokens
        logits = torch.stack(generated.logits, 1).log_softmax(2)
        transitions = logits.gather(2, generated.sequences[:, 1:, None])[..., 0]
        transitions[:, 0] = 0
    with torch.no_grad():
        results = model.generate(model(inputs), prompts, BeamSettings(**search))
    for row, wanted, (best, *_) in zip(generated.sequences.tolist(), transitions, results, strict=True):
        answer = row[1 : row.index(2, 1)]
        assert list(best.tokens) == answer
        if len(best.log_probs) == 20:  # its end is forced
            assert best.log_probs[-1] == 0 and not best.is_ended
            wanted[19] = 0
        torch.testing.assert_close(torch.tensor(best.log_probs), wanted[: len(best.log_probs)], atol=1e-4, rtol=1e-4)
    if search['num_beams'] > 1:
        scores = torch.tensor([best.score for best, *_ in results])
        torch.testing.assert_close(scores, generated.sequences_scores, atol=1e-4, rtol=1e-4)
    assert len({len(best.tokens) for best, *_ in results}) > 1, 'answers of one length prove little'


@torch.no_grad()
def test_an_answer_does_not_depend_on_its_batch_unless_padding_is_read(pair):
    hf, model = pair
    tokens = model(images(96, 96))

    def answers(model, items):
        results = model.generate(tokens[items], [PROMPTS[item] for item in items], BeamSettings(max_new_tokens=12))
        return [[(h.tokens, pytest.approx(h.score, abs=1e-4)) for h in found] for found in results]

    assert answers(model, [0, 1, 2, 3]) == [answers(model, [item])[0] for item in range(4)]
    reading = same_weights(hf, attends_to_padding=True)
    assert answers(reading, [3]) == answers(model, [3])
    memory, mask = reading.encode(tokens, PROMPTS, 'abcd')
    inputs = hf_inputs(model, images(96, 96), PROMPTS, 10) | dict(attention_mask=None)
    wanted = hf(**inputs, decoder_input_ids=torch.full((4, 1), 2)).encoder_last_hidden_state
    assert mask is None
    torch.testing.assert_close(memory, wanted, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_one_image_serves_many_prompts(pair):
    _, model = pair
    tokens = model(images(96, 96, number=1))
    many = model.generate(tokens, PROMPTS)
    assert [found[0].tokens for found in many] == [model.generate(tokens, [prompt])[0][0].tokens for prompt in PROMPTS]
    with pytest.raises(ValueError, match='2 images for 4 prompts'):
        model.generate(tokens.expand(2, -1, -1), PROMPTS)


def test_predictions_carry_text_tokens_and_scores(pair):
    _, model = pair
    found = model(images(96, 96), samples(4), mode='predict')
    words = model.tokenizer.tokenizer
    for sample in found:
        (text,), (tokens,), (log_probs,), (spans,) = (
            sample.get(f'pred_{name}') for name in ('texts', 'tokens', 'log_probs', 'spans')
        )
        assert (text, list(spans)) == words.decode_with_spans(tokens)
        assert len(log_probs) == len(tokens) == len(spans) and max(log_probs) <= 0
    assert len({sample.pred_tokens for sample in found}) > 1


def test_several_prompts_of_an_image_are_as_if_asked_alone(pair):
    _, model = pair
    inputs, alone = images(96, 96)[:2], samples(4)
    together = [
        ImageTextSample(
            metainfo=dict(sample_id=str(number)),
            prompt=tuple(sample.prompt for sample in own),
            target=tuple(sample.target for sample in own),
        )
        for number, own in enumerate([alone[:3], alone[3:]])
    ]
    repeated = inputs[[0, 0, 0, 1]]
    torch.testing.assert_close(model(inputs, together, mode='loss'), model(repeated, alone, mode='loss'))
    model(inputs, together, mode='predict')
    model(repeated, alone, mode='predict')
    assert [text for sample in together for text in sample.pred_texts] == [sample.pred_texts[0] for sample in alone]
    nothing = ImageTextSample(prompt=())
    assert model(inputs[:1], [nothing], mode='predict')[0].pred_texts == ()
    together[0].target = together[0].target[:2]
    with pytest.raises(ValueError, match="sample '0' has not as many targets as prompts"):
        model(inputs, together, mode='loss')


def test_smooth_locations_start_alike_where_they_are_near(pair):
    table = torch.randn(1300, 64)
    ids = torch.arange(100, 1100)
    smooth_rows_(table, ids)
    similar = torch.nn.functional.cosine_similarity(table[600:601], table[ids])
    assert similar[499:502].min() > 0.99 and similar[540] < 0.6 and similar.argmax() == 500
    assert table[ids].std() == pytest.approx(1, abs=0.15)


def test_a_clip_has_a_token_per_frame_before_those_of_places(pair):
    _, model = pair
    clips = images(96, 96).unflatten(0, (2, 2))
    with torch.no_grad():
        found = model(clips)
        assert found.shape == (2, 2 + 9, 32)
        torch.testing.assert_close(model(clips[:, :1]), model(clips[:, 0]))


@pytest.mark.parametrize(
    ('prompt', 'target', 'message'),
    [
        ('What? ' * 90, 'cat', r"sample 's0': an image of 10 tokens with its prompt makes \d+ tokens, .* has 96 positions"),
        ('What?', '<loc_1>' * 95, "target of sample 's0' has 97 tokens"),
    ],
    ids=['prompt', 'target'],
)  # fmt: skip
def test_what_is_longer_than_the_positions_is_refused(prompt, target, message):
    hf = hf_florence2()
    model = same_weights(hf)
    sample = samples(1)
    sample[0].set_data(dict(prompt=prompt, target=target))
    with pytest.raises(ValueError, match=message):
        model(images(96, 96, number=1), sample, mode='loss')


def test_the_decoder_has_the_last_word_on_the_length_of_targets_and_answers(pair):
    _, model = pair
    model = copy.copy(model)
    words = copy.copy(model.tokenizer.tokenizer)
    words.context_length = 2 * POSITIONS
    model._modules = dict(model._modules, tokenizer=type(model.tokenizer)(words))
    with pytest.raises(ValueError, match="sample 'a': the target makes 97 tokens, the language model has 96 positions"):
        model.training_tokens(['<loc_1>' * 95], ['a'])
    with pytest.raises(ValueError, match='max_new_tokens=97 exceeds the 96 positions'):
        model.generate(torch.zeros(1, 10, 32), ['What?'], BeamSettings(max_new_tokens=97))
    with pytest.raises(ValueError, match='max_new_tokens=97 exceeds the 96 positions'):
        tiny_florence2(search=dict(max_new_tokens=97))


@pytest.mark.parametrize('field', ['prompt', 'target'])
def test_a_sample_without_text_is_named(pair, field):
    sample = samples(1)
    delattr(sample[0], field)
    with pytest.raises(ValueError, match=f"1 samples have no {field}, e.g. 's0'"):
        pair[1](images(96, 96, number=1), sample, mode='loss')


def test_rows_of_the_embedding_without_a_token_are_never_written(pair):
    model = tiny_florence2(vocab_size=2000)
    known = torch.tensor(sorted(model.tokenizer.tokenizer.vocabulary().values()))
    assert rows_without_token(pair[1].tokenizer.tokenizer) is None and len(known) < 2000
    with torch.no_grad():
        model.language_model.token_embedding.weight *= 50
        model.language_model.token_embedding.weight[known] /= 50
        results = model.generate(torch.randn(2, 10, 32), PROMPTS[:2])
    assert {token for found in results for h in found for token in h.tokens} <= set(known.tolist())


@pytest.mark.parametrize(('arch', 'tower', 'positions', 'millions'), [
    ('base', 90_368_256, 1024, 231.4), ('large', 360_632_320, 1024, 770.2), ('large', 360_632_320, 4096, 776.5),
])  # fmt: skip
def test_numbers_of_weights(arch, tower, positions, millions):
    with torch.device('meta'):
        language_model = LanguageModel(51289, 1, arch=arch, max_positions=positions)
        projector = ImageTokens(1024 if arch == 'base' else 2048, language_model.embed_dims)
    total = tower + sum(p.numel() for module in (language_model, projector) for p in module.parameters())
    assert round(total / 1e6, 1) == millions


def test_unknown_modes_and_sizes_are_refused(pair):
    with pytest.raises(ValueError, match="must be 'loss', 'predict' or 'tensor', got 'encode'"):
        pair[1](images(96, 96), mode='encode')
    with pytest.raises(ValueError, match="unknown arch 'huge' of the language model"):
        LanguageModel(10, 1, arch='huge')
    with pytest.raises(ValueError, match=r"exactly the sizes \['embed_dims'.*got \['embed_dims'\]"):
        LanguageModel(10, 1, arch=dict(embed_dims=8))
