"""METER's encoders: caching of each item, grids, padding, checkpoints of other tasks, precision and memory."""

import pytest
import torch
import torch.nn.functional as F
from tiny_meter import QUESTIONS, SENTENCE, encoder_config, make_images, make_lively, tiny_meter

from florence.models.vision_language import METEREncoder
from florence.models.vision_language.grid_positions import sine_positions


def lively(**options):
    encoder = METEREncoder(**encoder_config(**options))
    make_lively(encoder)
    return encoder.eval()


@torch.no_grad()
def test_image_tokens_by_hand():
    encoder, images = lively(), make_images(2, 64)
    maps = encoder.image_tower(images)
    assert [tuple(each.shape[2:]) for each in maps] == [(4, 4), (2, 2)]
    tokens = encoder.encode_image(images)
    assert tokens.shape == (2, 20, 32)
    for start, proj, feature_map in ((0, encoder.image_proj[0], maps[0]), (16, encoder.image_proj[1], maps[1])):
        height, width = feature_map.shape[2:]
        for row in range(height):
            for column in range(width):
                cell = row * width + column
                expected = proj(feature_map[:, :, row, column]) + sine_positions(height, width, 32)[cell]
                expected = expected + encoder.token_types.weight[1]
                torch.testing.assert_close(tokens[:, start + cell], expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(encoder.encode_maps(maps), tokens, rtol=0, atol=0)


@torch.no_grad()
def test_feature_of_a_pair_by_hand():
    encoder, images = lively(), make_images()
    text, mask = encoder.encode_text(QUESTIONS)
    fused_text, fused_image = encoder.fuse(text, encoder.encode_image(images), mask)
    first = torch.tanh(F.linear(fused_text[:, 0], encoder.text_pooler.weight, encoder.text_pooler.bias))
    mean = torch.tanh(F.linear(fused_image.sum(1) / fused_image.shape[1], encoder.image_pooler.weight, encoder.image_pooler.bias))
    torch.testing.assert_close(encoder.pair_features(images, QUESTIONS), torch.cat([first, mean], 1), rtol=0, atol=1e-5)


@pytest.mark.parametrize('mode', ['co_attention', 'merged_attention'])
@torch.no_grad()
def test_texts_of_mixed_lengths_are_encoded_as_one_by_one(mode):
    encoder, images = lively(mode=mode), make_images()
    together = encoder.pair_features(images, QUESTIONS)
    for index, question in enumerate(QUESTIONS):
        alone = encoder.pair_features(images[index : index + 1], [question])
        torch.testing.assert_close(alone[0], together[index], rtol=0, atol=1e-5)
    assert (together[0] - together[1]).abs().max() > 1e-2


@pytest.mark.parametrize('mode', ['co_attention', 'merged_attention'])
def test_both_modalities_matter(mode):
    encoder, images = lively(mode=mode), make_images(2)
    with torch.no_grad():
        features = encoder.pair_features(images[[0, 0, 1]], [QUESTIONS[0], QUESTIONS[1], QUESTIONS[0]])
    for half in features.chunk(2, 1):  # of the text's pooler and of the image's
        assert (half[0] - half[1]).abs().max() > 1e-2 and (half[0] - half[2]).abs().max() > 1e-2


@pytest.mark.parametrize('mode', ['co_attention', 'merged_attention'])
def test_activation_checkpointing_changes_nothing(mode):
    found = []
    state = lively(mode=mode).state_dict()
    images = make_images()
    for with_cp in (False, True):
        encoder = METEREncoder(**encoder_config(mode=mode, with_cp=with_cp))
        encoder.load_state_dict(state)
        features = encoder.train().pair_features(images, QUESTIONS)
        features.square().sum().backward()
        found.append((features.detach(), [each.grad for each in encoder.fusion.parameters()]))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)


@torch.no_grad()
def test_evaluation_is_deterministic_and_runs_in_bfloat16():
    encoder, images = lively(), make_images()
    features = encoder.pair_features(images, QUESTIONS)
    torch.testing.assert_close(encoder.pair_features(images, QUESTIONS), features, rtol=0, atol=0)
    with torch.autocast('cpu', torch.bfloat16):
        half = encoder.pair_features(images, QUESTIONS)
    assert half.dtype == torch.bfloat16
    error = (half.float() - features).abs()
    assert 0 < error.mean() < 0.03 and error.max() < 0.25


def test_the_encoder_of_another_task_is_a_start(tmp_path):
    other = tiny_meter(SENTENCE)
    torch.save({'state_dict': other.state_dict()}, tmp_path / 'sentences.pth')
    start = dict(type='Pretrained', checkpoint=str(tmp_path / 'sentences.pth'), prefix='encoder')
    model = tiny_meter(init_cfg=start)
    head = {name: value.clone() for name, value in model.head.state_dict().items()}
    assert not torch.equal(model.encoder.text_proj.weight, other.encoder.text_proj.weight)
    model.init_weights()
    torch.testing.assert_close(model.encoder.state_dict(), other.encoder.state_dict(), rtol=0, atol=0)
    torch.testing.assert_close(model.head.state_dict(), head, rtol=0, atol=0)


def test_a_pair_starts_from_the_encoder_of_single_images(tmp_path):
    other = tiny_meter(SENTENCE)
    torch.save({'state_dict': other.state_dict()}, tmp_path / 'one.pth')
    start = dict(type='Pretrained', checkpoint=str(tmp_path / 'one.pth'), prefix='encoder')
    model = tiny_meter({**SENTENCE, 'num_images': 2}, num_images=2, init_cfg=start)
    model.init_weights()
    types, own = model.encoder.token_types.weight, other.encoder.token_types.weight
    torch.testing.assert_close(types, own[[0, 1, 1]], rtol=0, atol=0)


def test_the_tokenizer_travels_with_the_weights():
    encoder, fresh = lively(), METEREncoder(**encoder_config())
    assert not fresh.tokenizer.tokenizer.is_trained
    fresh.load_state_dict(encoder.state_dict(), strict=True)
    assert torch.equal(fresh.tokenizer.encode(QUESTIONS)['input_ids'], encoder.tokenizer.encode(QUESTIONS)['input_ids'])
    with pytest.raises(ValueError, match='made with a tokenizer of vocab_size=300, this model has vocab_size=301'):
        METEREncoder(**encoder_config(vocab_size=301)).load_state_dict(encoder.state_dict())


def test_faults_are_named():
    encoder = lively()
    with pytest.raises(ValueError, match="text ' ' is empty"):
        encoder.encode_text(['how many?', ' '])
    text, mask = encoder.encode_text(QUESTIONS)
    with pytest.raises(ValueError, match=r'METERFusion needs text and image tokens of shape \(B, L, 32\), got image of shape'):
        encoder.fuse(text, encoder.encode_image(make_images(2)), mask)
    small = encoder_config()
    small['text_tower']['vocab_size'] = 299
    with pytest.raises(ValueError, match='the tokenizer has 300 tokens, the text tower has 299'):
        METEREncoder(**small)
