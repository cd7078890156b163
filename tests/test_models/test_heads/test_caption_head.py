"""CaptionHead: the loss against a hand-written one, prompts, what is trained, predictions."""

import pytest
import torch
from tiny_captioner import ROBERTA, TEXTS, TRANSFORMER, samples, tiny_captioner

from florence.models.heads.caption_head import IGNORED
from florence.models.vision_language.image_stream import image_stream


@pytest.fixture
def images():
    return torch.randn(3, 3, 64, 64)


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
@torch.no_grad()
def test_loss_is_the_mean_over_all_tokens_of_each_caption_alone(images, smoothing):
    model = tiny_captioner(label_smoothing=smoothing)
    losses = model(images, samples(), mode='loss')
    total, count, right = 0.0, 0, 0
    for image, text in zip(images, TEXTS, strict=True):
        ids = model.tokenizer.encode([text])['input_ids']  # one caption: no padding
        stream = image_stream(model.encoder.fusion, model.encoder.encode_image(image[None]))
        log_probs = model.head.decoder.logits(model.head.decoder(ids[:, :-1], stream))[0].log_softmax(1)
        picked = log_probs.gather(1, ids[0, 1:, None])[:, 0]
        total -= ((1 - smoothing) * picked + smoothing * log_probs.mean(1)).sum()
        right += (log_probs.argmax(1) == ids[0, 1:]).sum()
        count += len(picked)
    torch.testing.assert_close(losses['loss_caption'], total / count)
    torch.testing.assert_close(losses['token_accuracy'], right / count)
    assert [name for name in losses if 'loss' in name] == ['loss_caption']


def test_the_prompt_is_read_and_not_learned():
    model = tiny_captioner(prompt='a picture of ')
    tokenizer = model.tokenizer.tokenizer
    ids, targets = model.head.training_tokens(tokenizer, TEXTS)
    prompt = model.head.prompt_tokens(tokenizer)
    assert tokenizer.decode(prompt) == 'a picture of' and prompt[0] == tokenizer.sot_id
    for row, text in zip(range(3), TEXTS, strict=True):
        learned = targets[row][targets[row] != IGNORED]
        assert learned[-1] == tokenizer.eot_id and tokenizer.decode(learned) == text
        assert tokenizer.decode(ids[row]) == f'a picture of {text}'
        assert (targets[row, : len(prompt) - 1] == IGNORED).all() and targets[row, len(prompt) - 1] != IGNORED


def test_without_a_start_token_the_end_token_starts():
    model = tiny_captioner()
    tokenizer = model.tokenizer.tokenizer

    class NoStart(type(tokenizer)):
        sot_id = None

        def _encode(self, texts):
            return [ids[1:] for ids in super()._encode(texts)]

    bare = NoStart(300, 40)
    bare.load_state({**tokenizer.state(), 'type': 'NoStart'})
    ids, targets = model.head.training_tokens(bare, TEXTS)
    expected_ids, expected_targets = model.head.training_tokens(tokenizer, TEXTS)
    assert torch.equal(targets, expected_targets) and (ids[:, 0] == tokenizer.eot_id).all()
    assert torch.equal(ids[:, 1:], expected_ids[:, 1:])


def test_a_prompt_that_ends_inside_a_token_is_refused():
    model = tiny_captioner(prompt='a')
    model.head.prompt_tokens = lambda tokenizer: [tokenizer.sot_id, 299]
    with pytest.raises(ValueError, match='must end where a token ends'):
        model.head.training_tokens(model.tokenizer.tokenizer, TEXTS)


def test_a_prompt_that_fills_the_text_is_refused(images):
    model = tiny_captioner(prompt='a large blue two above ' * 10)
    for mode in ('loss', 'predict'):
        with pytest.raises(ValueError, match='the prompt fills all 40 tokens'):
            model(images, samples(), mode=mode)


def test_a_sample_without_text_is_refused_behind_a_prompt_too(images):
    model, batch = tiny_captioner(prompt='a picture of'), samples([TEXTS[0], ' ', TEXTS[1]])
    with pytest.raises(ValueError, match="1 samples have no text, e.g. '1'"):
        model(images, batch, mode='loss')
    del batch[1].text
    with pytest.raises(ValueError, match="1 samples have no text, e.g. '1'"):
        model(images, batch, mode='loss')


def test_captions_that_are_too_long_are_cut_and_counted(images):
    model = tiny_captioner()
    _, targets = model.head.training_tokens(model.tokenizer.tokenizer, ['seven ' * 60] * 2)
    assert model.tokenizer.tokenizer.num_truncated == 2 and targets.shape[1] == 39


@pytest.mark.parametrize('mode', ['co_attention', 'merged_attention'])
@pytest.mark.parametrize('with_cp', [False, True])
def test_gradients_reach_what_is_trained_and_only_that(images, mode, with_cp):
    model = tiny_captioner(mode=mode, with_cp=with_cp).train()
    model(images, samples(), mode='loss')['loss_caption'].backward()
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    reached = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert reached == trained and len(trained) < len(list(model.parameters()))
    unreached = [name for name in trained if not model.get_parameter(name).grad.abs().sum() > 0]
    # A key's bias adds the same to all scores of a query.
    assert all('key_value.bias' in name for name in unreached), unreached
    assert any(name.startswith('encoder.image_tower') for name in trained)


def test_predictions_hold_no_special_token_and_no_row_without_a_token(images):
    model = tiny_captioner(text_tower=dict(TRANSFORMER, vocab_size=320), decoding=dict(num_beams=3, max_new_tokens=12))
    tokenizer = model.tokenizer.tokenizer
    model.head.decoder.bias.data[: tokenizer.eot_id] += 50.0  # pad and start are the most probable tokens by far
    unknown = sorted(set(range(320)) - set(tokenizer.vocabulary().values()))
    model.head.decoder.bias.data[unknown] += 50.0
    known = set(tokenizer.vocabulary().values()) - tokenizer.special_ids
    hypotheses = model.head.generate(model.encoder, images)
    assert unknown and all(set(hypothesis.tokens) <= known and hypothesis.tokens for hypothesis in hypotheses)
    for sample, hypothesis in zip(model(images, samples(), mode='predict'), hypotheses, strict=True):
        assert sample.pred_caption == tokenizer.decode(hypothesis.tokens) != ''
        assert sample.pred_caption_score == pytest.approx(hypothesis.score)


def test_the_end_token_ends_a_caption_at_once(images):
    model = tiny_captioner(decoding=dict(num_beams=3, length_penalty=0.0))
    model.head.decoder.bias.data[model.tokenizer.tokenizer.eot_id] = 100.0
    assert [sample.pred_caption for sample in model(images, samples(), mode='predict')] == [''] * 3
    model.head.settings = type(model.head.settings)(num_beams=3, min_new_tokens=2, length_penalty=0.0)
    assert all(len(hypothesis.tokens) == 2 and hypothesis.is_ended for hypothesis in model.head.generate(model.encoder, images))


def test_prediction_follows_the_prompt(images):
    model = tiny_captioner(prompt='a picture of', decoding=dict(num_beams=1, max_new_tokens=6))
    tokenizer = model.tokenizer.tokenizer
    (first, *_) = model.head.generate(model.encoder, images)
    ids = torch.tensor([model.head.prompt_tokens(tokenizer)])
    stream = image_stream(model.encoder.fusion, model.encoder.encode_image(images[:1]))
    logits = model.head.decoder.logits(model.head.decoder(ids, stream))[0, -1]
    allowed = sorted(set(tokenizer.vocabulary().values()) - tokenizer.special_ids | {tokenizer.eot_id})
    assert first.tokens[0] == allowed[int(logits[allowed].argmax())]


@pytest.mark.parametrize('text_tower', [None, ROBERTA], ids=['TextTransformer', 'RoBERTa'])
def test_learns_three_captions(images, text_tower):
    options = {} if text_tower is None else dict(text_tower=text_tower)
    model = tiny_captioner(label_smoothing=0.0, decoding=dict(num_beams=3), **options)
    model.init_weights()
    optimizer = torch.optim.AdamW([parameter for parameter in model.parameters() if parameter.requires_grad], lr=3e-3)
    for _ in range(100):
        loss = model(images, samples(), mode='loss')['loss_caption']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert [sample.pred_caption for sample in model(images, samples(), mode='predict')] == TEXTS
    assert loss < 0.6  # nats; it begins above 5


@pytest.mark.parametrize(
    ('head', 'message'),
    [
        (dict(label_smoothing=1.0), 'label_smoothing must lie in'),
        (dict(decoding=dict(max_new_tokens=41)), 'exceeds the 40 positions'),
    ],
)
def test_settings_out_of_range_are_refused(head, message):
    with pytest.raises(ValueError, match=message):
        tiny_captioner(**head)


def test_a_prompt_that_leaves_no_room_is_refused(images):
    model = tiny_captioner(prompt='a picture of', decoding=dict(max_new_tokens=40))
    with pytest.raises(ValueError, match='do not fit the 40 positions'):
        model(images, samples(), mode='predict')
