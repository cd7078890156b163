"""The two-tower model: losses, predictions, text de-duplication, classifier cache, checkpoints."""

import math

import pytest
import torch
import torch.nn.functional as F

from florence.models.two_tower import TwoTower
from florence.models.two_tower.class_embeddings import build_class_embeddings
from florence.models.two_tower.two_tower import _BoundedExp
from florence.structures import ImageTextSample
from florence.tasks.text_hash import text_label

CAPTIONS = ['a red seven', 'a blue two', 'a large green nine on a grey ground']


def build(trained=True, **arguments):
    model = TwoTower(
        image_tower=dict(
            type='CoSwin', arch=dict(embed_dims=(8, 16, 16, 24), depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2), window_size=4)
        ),
        text_tower=dict(type='TextTransformer', vocab_size=300, embed_dims=16, num_layers=1, num_heads=2, mlp_dims=32),
        tokenizer=dict(type='TrainedBPE', vocab_size=300, context_length=32),
        embed_dims=12,
        **arguments,
    )
    if trained:
        model.tokenizer.tokenizer.train(CAPTIONS)
    return model


def sample(text, **fields):
    item = ImageTextSample(metainfo=dict(sample_id=text))
    item.set_data(dict(text=text, label=text_label(text), **fields))
    return item


def batch(texts=CAPTIONS):
    return dict(
        inputs=[torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8) for _ in texts], data_samples=[sample(t) for t in texts]
    )


def test_loss_reaches_every_parameter():
    model = build()
    data = model.data_preprocessor(batch(), training=True)
    losses = model(**data, mode='loss')
    assert set(losses) == {'loss_unicl', 'logit_scale'}
    losses['loss_unicl'].backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert without == []


def test_a_repeated_text_is_encoded_once():
    model = build().eval()
    seen = []
    model.text_tower.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
    embeds = model.encode_text([CAPTIONS[0], CAPTIONS[1], CAPTIONS[0]])
    assert seen == [2]
    assert torch.equal(embeds[0], embeds[2])
    alone = model.encode_text([CAPTIONS[1]])
    torch.testing.assert_close(embeds[1], alone[0], rtol=0, atol=1e-6)


def test_embeddings_are_normalised_fp32_under_autocast():
    model = build().eval()
    inputs = model.data_preprocessor(batch())['inputs']
    with torch.autocast('cpu', dtype=torch.bfloat16):
        image, text = model.encode_image(inputs), model.encode_text(CAPTIONS)
    for embeds in (image, text):
        assert embeds.dtype == torch.float32
        torch.testing.assert_close(embeds.norm(dim=1), torch.ones(3), rtol=0, atol=1e-6)


def test_predict_scores_are_scaled_cosines():
    model = build().eval()
    classes = ('red seven', 'blue two')
    data = batch(CAPTIONS[:2])
    for item in data['data_samples']:
        item.classes, item.captions = classes, (item.text, CAPTIONS[2])
    results = model(**model.data_preprocessor(data), mode='predict')
    classifier = model.class_embeddings(classes, 'simple')
    for item in results:
        torch.testing.assert_close(item.pred_scores, model.logit_scale.exp() * classifier @ item.image_embeds)
        assert item.pred_label == item.pred_scores.argmax()
        torch.testing.assert_close(item.text_embeds, model.encode_text(item.captions), rtol=0, atol=1e-6)


def test_classifier_is_the_normalised_mean_of_normalised_prompts():
    model = build().eval()
    with torch.no_grad():
        got = build_class_embeddings(model.encode_text, ['red seven', 'nine'], 'expansion', batch_size=3)
        from florence.tasks.templates import EXPANSION_TEMPLATES

        for row, name in zip(got, ['red seven', 'nine'], strict=True):
            prompts = model.encode_text([template.replace('{}', name) for template in EXPANSION_TEMPLATES])
            torch.testing.assert_close(row, F.normalize(prompts.mean(0), dim=0), rtol=0, atol=1e-6)


def test_classifier_cache_lives_until_the_weights_change():
    model = build().eval()
    with torch.no_grad():
        first = model.class_embeddings(['nine'], 'simple')
        assert model.class_embeddings(['nine'], 'simple') is first
        model.text_proj.weight.mul_(-1)
        model.train()
        model.eval()
        torch.testing.assert_close(model.class_embeddings(['nine'], 'simple'), -first)
        state = {key: value.clone() for key, value in model.state_dict().items()}
        state['text_proj.weight'] *= -1
        model.load_state_dict(state)
        torch.testing.assert_close(model.class_embeddings(['nine'], 'simple'), first)


def test_temperature_is_clamped_before_use():
    model = build(logit_scale_max=50.0)
    with torch.no_grad():
        model.logit_scale.fill_(9.0)
    losses = model(**model.data_preprocessor(batch()), mode='loss')
    assert losses['logit_scale'].item() == pytest.approx(50.0)
    with torch.no_grad():
        model.logit_scale.fill_(-1.0)
    assert model(**model.data_preprocessor(batch()), mode='loss')['logit_scale'].item() == pytest.approx(1.0)
    assert model.max_log_scale == math.log(50.0)
    with torch.no_grad():
        model.logit_scale.fill_(9.0)
    data = batch(CAPTIONS[:1])
    data['data_samples'][0].classes = ('red seven',)
    (item,) = model.eval()(**model.data_preprocessor(data), mode='predict')
    cosine = model.class_embeddings(('red seven',), 'simple') @ item.image_embeds
    torch.testing.assert_close(item.pred_scores, 50.0 * cosine)


@pytest.mark.parametrize(
    'log_scale, gradient, passed',
    [
        (1.0, -2.0, -2.0),
        (9.0, -2.0, 0.0),
        (9.0, 2.0, 2.0),
        (-1.0, 2.0, 0.0),
        (-1.0, -2.0, -2.0),
    ],
)
def test_gradient_of_the_temperature_stops_at_its_bounds(log_scale, gradient, passed):
    model = build(logit_scale_max=50.0)
    with torch.no_grad():
        model.logit_scale.fill_(log_scale)
    scale = model.multiplier()
    assert scale.item() == pytest.approx(min(max(math.exp(log_scale), 1.0), 50.0))
    scale.backward(torch.tensor(gradient))
    assert model.logit_scale.grad.item() == pytest.approx(passed * scale.item())
    assert model.logit_scale.item() == log_scale, 'the parameter itself stays as it is'


def test_gradient_of_the_temperature_within_its_bounds():
    log_scale = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: _BoundedExp.apply(x, 4.0), log_scale)


def test_loss_is_made_of_two_parts():
    model = build().eval()
    data = model.data_preprocessor(batch(), training=True)
    encoded = model(**data, mode='encode')
    image_embeds, text_embeds, scale = encoded
    assert image_embeds.shape == text_embeds.shape == (3, 12)
    torch.testing.assert_close(scale, model.logit_scale.exp())
    assert torch.equal(model.loss_from(encoded, data['data_samples'])['loss_unicl'], model(**data, mode='loss')['loss_unicl'])


def test_checkpoint_carries_the_vocabulary(tmp_path):
    model = build().eval()
    torch.save(model.state_dict(), tmp_path / 'model.pth')
    other = build(trained=False).eval()
    other.load_state_dict(torch.load(tmp_path / 'model.pth', weights_only=True))
    assert torch.equal(other.encode_text(CAPTIONS), model.encode_text(CAPTIONS))


def test_mistakes_are_named():
    model = build()
    data = batch()
    data['data_samples'][1] = ImageTextSample(metainfo=dict(sample_id='broken.jpg'))
    with pytest.raises(ValueError, match='broken.jpg'):
        model(**model.data_preprocessor(data), mode='loss')
    with pytest.raises(ValueError, match='broken.jpg'):
        model(**model.data_preprocessor(data), mode='encode')
    with pytest.raises(ValueError, match='mode'):
        model(torch.zeros(1, 3, 32, 32), mode='train')
    with pytest.raises(ValueError, match='one size'):
        model.data_preprocessor(dict(inputs=[torch.zeros(3, 8, 8, dtype=torch.uint8), torch.zeros(3, 9, 8, dtype=torch.uint8)]))
    with pytest.raises(ValueError, match='class names'):
        model.class_embeddings(['seven', ' '], 'simple')


def test_preprocessor_normalises_on_the_scale_of_bytes():
    model = build()
    out = model.data_preprocessor(dict(inputs=[torch.full((3, 4, 4), 255, dtype=torch.uint8)]))['inputs']
    # (1 - mean) / std of CLIP
    want = torch.tensor([(1 - 0.48145466) / 0.26862954, (1 - 0.4578275) / 0.26130258, (1 - 0.40821073) / 0.27577711])
    torch.testing.assert_close(out[0, :, 0, 0], want, rtol=1e-4, atol=1e-4)
