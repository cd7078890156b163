"""Pretraining: one image encoding, losses equal to a hand computation, evaluation that does not depend on the batch."""

import pytest
import torch
import torch.nn.functional as F
from meter_models import CAPTIONS, randomise, small_encoder, small_meter

from florence.models.heads import PretrainHead
from florence.models.vision_language.masked_tokens import IGNORED
from florence.structures import ImageTextSample


def samples_of(texts):
    samples = []
    for number, text in enumerate(texts):
        sample = ImageTextSample(metainfo={'sample_id': str(number)})
        sample.text = text
        samples.append(sample)
    return samples


def make(**head):
    model = small_meter(dict(type='florence.PretrainHead', vocab_size=300, **head)).eval()
    randomise(model.encoder.fusion, 0.1)
    randomise(model.head, 0.1)
    return model


@pytest.fixture
def batch():
    return torch.randn(4, 3, 32, 32), samples_of(CAPTIONS[:4])


@pytest.mark.parametrize('negatives', ['hard', 'random'])
def test_losses_equal_a_hand_computation(batch, negatives, monkeypatch):
    from florence.models.heads import pretrain_head

    model, (inputs, samples) = make(negatives=negatives), batch
    seen = {}

    def remember(*arguments):
        seen['pairs'] = draw(*arguments)
        return seen['pairs']

    draw = pretrain_head.draw_images
    monkeypatch.setattr(pretrain_head, 'draw_images', remember)
    masked = model.head.masker
    model.head.masker = lambda *arguments: seen.setdefault('masked', masked(*arguments))
    encoder, head, calls = model.encoder, model.head, []
    encoder.image_tower.register_forward_hook(lambda *_: calls.append(1))
    losses = model(inputs, samples, mode='loss')
    assert calls == [1], 'each image is encoded once for both losses'
    texts = [sample.text for sample in samples]
    mask = encoder.tokenizer.encode(texts)['attention_mask']
    image = encoder.encode_image(inputs)
    ids, labels = seen['masked']
    text, text_mask = encoder.encode_tokens(ids, mask)
    logits = head.mlm(encoder.fuse(text, image, text_mask)[0])
    mlm = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)
    index, is_match = seen['pairs']
    text, text_mask = encoder.encode_text(texts)
    match_logits = head.itm(encoder.pool(*encoder.fuse(text, image[index], text_mask)))
    itm = F.cross_entropy(match_logits, is_match)
    torch.testing.assert_close(losses['loss_mlm'], mlm)
    torch.testing.assert_close(losses['loss_itm'], itm)
    assert losses['itm_accuracy'] == (match_logits.argmax(1) == is_match).float().mean()
    chosen = labels != IGNORED
    torch.testing.assert_close(losses['mlm_accuracy'], (logits.argmax(-1) == labels)[chosen].float().mean())
    assert {key for key in losses if 'loss' in key} == {'loss_mlm', 'loss_itm'}


def test_gradients_reach_every_parameter(batch):
    model = make().train()
    inputs = torch.randn(4, 3, 64, 64)  # a map of one cell would leave its position biases without any
    sum(value for key, value in model(inputs, batch[1], mode='loss').items() if key.startswith('loss')).backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    # Keys' biases shift all scores of a query alike; one half of each key_value bias still has a gradient.
    assert [name for name in without if not name.endswith('attention.self.key.bias')] == []


def test_tied_words(batch):
    encoder = small_encoder()
    with pytest.raises(ValueError, match=r'\(300, 32\), the text tower has \(300, 24\): set tied=False'):
        PretrainHead(300, 32, tied=True).loss(encoder, *batch)
    head = PretrainHead(300, 24, tied=True)
    assert 'mlm.decoder.weight' not in head.state_dict()
    words = encoder.text_tower.token_embedding.weight
    tokens = torch.randn(5, 24)
    expected = F.layer_norm(F.gelu(head.mlm.dense(tokens)), (24,), eps=1e-12) @ words.T + head.mlm.bias
    torch.testing.assert_close(head.mlm(tokens, words), expected)


def predicted(model, inputs, texts):
    keys = ('num_masked', 'num_right', 'num_right_blank', 'match_score', 'mismatch_score')
    return [[sample.get(key) for key in keys] for sample in model(inputs, samples_of(texts), mode='predict')]


def test_prediction_depends_on_the_pair_alone():
    model, inputs, texts = make(), torch.randn(4, 3, 32, 32), CAPTIONS[:4]
    first = predicted(model, inputs, texts)
    again = predicted(model, inputs, texts)
    assert first == again
    for i, (single, row) in enumerate(zip(first, map(list, first), strict=True)):
        alone = predicted(model, inputs[i : i + 1], texts[i : i + 1])[0]
        assert alone[:3] == row[:3] and abs(alone[3] - single[3]) < 1e-5 and alone[4] is None
    assert all(row[0] >= 1 and max(row[1:3]) <= row[0] for row in first)


def test_scores_are_those_of_the_own_and_of_the_next_image():
    model, inputs, texts = make(), torch.randn(3, 3, 32, 32), [CAPTIONS[0], CAPTIONS[0], CAPTIONS[1]]
    found = predicted(model, inputs, texts)
    with torch.no_grad():
        for row, other in enumerate([2, 2, 0]):  # the second text is the first's, so its image would match
            for image, score in ((row, found[row][3]), (other, found[row][4])):
                features = model.encoder.pair_features(inputs[image : image + 1], [texts[row]])
                assert abs(model.head.itm(features).softmax(1)[0, 1] - score) < 1e-5


def test_a_blank_image_is_what_the_baseline_sees():
    model, texts = make(), CAPTIONS[:4]
    _, right, right_blank, *_ = zip(*predicted(model, torch.zeros(4, 3, 32, 32), texts), strict=True)
    assert right == right_blank


def test_captions_serve_where_there_is_no_text():
    model, inputs = make(), torch.randn(1, 3, 32, 32)
    sample = ImageTextSample()
    sample.captions = (CAPTIONS[1], CAPTIONS[2])
    found = model(inputs, [sample], mode='predict')[0]
    assert found.match_score == predicted(model, inputs, [CAPTIONS[1]])[0][3]


def test_bad_input(batch):
    model, (inputs, samples) = make(), batch
    with pytest.raises(ValueError, match='at least two pairs in a batch'):
        model(inputs[:1], samples[:1], mode='loss')
    with pytest.raises(ValueError, match="1 samples have no text, e.g. '1'"):
        model(inputs[:2], samples_of(['a red seven', '']), mode='loss')
    with pytest.raises(ValueError, match='vocab_size=301 tokens, the tokenizer has 300'):
        PretrainHead(301, 32).loss(model.encoder, inputs, samples)
    with pytest.raises(ValueError, match="negatives must be one of .* got 'easy'"):
        PretrainHead(300, 32, negatives='easy')
