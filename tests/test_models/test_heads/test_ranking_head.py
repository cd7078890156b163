"""Ranking: negatives that are really false, one encoding per item, the loss by hand, frozen two towers, what it predicts."""

import pytest
import torch
from mmengine.runner.checkpoint import load_state_dict
from tiny_meter import make_images, make_samples
from tiny_ranking import CAPTIONS, TinyRetrievalSet, collate, tiny_ranker, two_tower_config

from florence.models.heads import PretrainHead, RankingHead
from florence.models.vision_language import METERModel

TEXTS = ['a red seven', 'a blue two', 'the one above the nine', 'a blue two', 'six']


def test_every_item_is_encoded_once_and_only_the_fusion_runs_per_pair(monkeypatch):
    model = tiny_ranker(head=dict(num_negatives=2)).train()
    counts = {'encode_image': 0, 'encode_text': 0, 'fuse': 0}
    for name in counts:
        original = getattr(model.encoder, name)

        def counted(first, *rest, original=original, name=name):
            counts[name] += len(first)
            return original(first, *rest)

        monkeypatch.setattr(model.encoder, name, counted)
    model(make_images(5), make_samples(TEXTS), 'loss')
    assert counts == {'encode_image': 5, 'encode_text': 5, 'fuse': 5 * (1 + 2 + 2)}


@pytest.mark.parametrize('two_tower', [True, False])
def test_loss_is_the_cross_entropy_among_all_others(two_tower):
    """With as many negatives as there are, nothing is left to chance."""
    model = tiny_ranker(two_tower, dict(num_negatives=4))
    images = make_images(5)
    losses = model(images, make_samples(TEXTS), 'loss')
    with torch.no_grad():
        scores = torch.stack([model.head.score(model.encoder.pair_features(images, [text] * 5)).flatten() for text in TEXTS], 1)
    for name, matrix in (('i2t', scores), ('t2i', scores.t())):
        rows = []
        for i in range(5):
            false = [matrix[i, j] for j in range(5) if j != i and TEXTS[j] != TEXTS[i]]
            rows.append(matrix[i, i] - torch.stack([matrix[i, i], *false]).logsumexp(0))
        torch.testing.assert_close(losses[f'loss_{name}'].detach(), -torch.stack(rows).mean(), atol=1e-4, rtol=1e-4)


def test_hard_negatives_are_those_of_the_two_towers(monkeypatch):
    model = tiny_ranker(head=dict(num_negatives=1))
    like = torch.tensor([[0.0, 9.0, 0.0, 9.0, 0.0]]).expand(5, 5) * 10
    monkeypatch.setattr(model.head, '_propose', lambda inputs, samples: ({}, like))
    pairs = []
    monkeypatch.setattr(model.encoder, 'fuse', lambda text, image, mask: pairs.append((text, image)) or (text, image))
    samples = make_samples(TEXTS)
    model(make_images(5), samples, 'loss')
    ((words, _),) = pairs
    tokens, _ = model.encoder.encode_text(TEXTS)
    of_images = words[5:10]
    # Text 1 and 3 are equal: each of the others meets one of them, and those two meet neither.
    for row in (0, 2, 4):
        assert torch.allclose(of_images[row], tokens[1], atol=1e-5)
    for row in (1, 3):
        assert not torch.allclose(of_images[row], tokens[1], atol=1e-5)


def test_frozen_two_towers_stay_as_they_are():
    model = tiny_ranker().train()
    assert not model.head.two_tower.training and not any(p.requires_grad for p in model.head.two_tower.parameters())
    losses = model(make_images(5), make_samples(TEXTS), 'loss')
    assert set(losses) == {'loss_i2t', 'loss_t2i', 'i2t_first', 't2i_first'}
    (losses['loss_i2t'] + losses['loss_t2i']).backward()
    assert all(p.grad is None for p in model.head.two_tower.parameters())
    # Else DDP would wait for them.
    assert [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None] == []
    assert model.encoder.fusion.image_layers[-1].mlp.fc1.weight.grad.any() and model.encoder.token_types.weight.grad.any()


def test_two_towers_may_be_trained_along():
    model = tiny_ranker(head=dict(freeze_two_tower=False)).train()
    samples = make_samples(TEXTS, label=[1, 2, 3, 2, 5])
    losses = model(make_images(5), samples, 'loss')
    losses['loss_unicl'].backward()
    assert model.head.two_tower.training and model.head.two_tower.image_proj.weight.grad.any()


def test_equal_scores_are_no_success():
    model = tiny_ranker(two_tower=False)
    torch.nn.init.zeros_(model.head.score.weight)
    losses = model(make_images(5), make_samples(TEXTS), 'loss')
    assert losses['i2t_first'] == losses['t2i_first'] == 0 and not losses['i2t_first'].requires_grad


def test_a_batch_that_shows_one_text_is_refused():
    with pytest.raises(ValueError, match='all 2 show one image or one text: raise batch_size'):
        tiny_ranker(two_tower=False)(make_images(2), make_samples(['six', 'six']), 'loss')


def test_a_sample_without_text_is_refused():
    samples = make_samples(TEXTS)
    del samples[2].text
    with pytest.raises(ValueError, match="1 training samples have no text, e.g. '2'"):
        tiny_ranker(two_tower=False)(make_images(5), samples, 'loss')


def test_predictions_do_not_depend_on_the_batch():
    model, data = tiny_ranker(), TinyRetrievalSet()
    together = model.test_step(collate([data[index] for index in range(len(data))]))
    for index, sample in enumerate(together):
        (alone,) = model.test_step(collate([data[index]]))
        assert [len(tokens) for tokens in alone.text_tokens] == [len(tokens) for tokens in sample.text_tokens]
        for name in ('image_tokens', 'image_embeds', 'text_embeds'):
            torch.testing.assert_close(alone.get(name), sample.get(name), atol=1e-5, rtol=1e-4)
        for own, other in zip(alone.text_tokens, sample.text_tokens, strict=True):
            torch.testing.assert_close(own, other, atol=1e-5, rtol=1e-4)
        assert len(sample.text_tokens) == len(CAPTIONS[index])


def test_score_starts_from_the_matching_head_of_a_pretraining():
    model = tiny_ranker(two_tower=False)
    pretrained = METERModel(model.encoder, PretrainHead(vocab_size=300, embed_dims=32))
    torch.nn.init.normal_(pretrained.head.itm.fc.weight)
    torch.nn.init.normal_(pretrained.head.itm.fc.bias)
    # As `load_from` does.
    load_state_dict(model, pretrained.state_dict())
    assert torch.equal(model.head.score.weight, pretrained.head.itm.fc.weight[1:])
    assert torch.equal(model.head.score.bias, pretrained.head.itm.fc.bias[1:])
    assert model.head.score.weight.untyped_storage().data_ptr() != pretrained.head.itm.fc.weight.untyped_storage().data_ptr()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(negatives='hardest'), "got 'hardest'"),
        (dict(num_negatives=0), 'num_negatives at least 1'),
        (dict(negatives='hard'), 'found by a two-tower model'),
    ],
)
def test_settings_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        RankingHead(32, **options)


def test_half_precision_does_not_coarsen_the_draw_of_negatives():
    head, images, samples = tiny_ranker().head, make_images(5), make_samples(TEXTS)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        _, logits = head._propose(images, samples)
        image, text, scale = head.two_tower.encode(images, samples)
    torch.testing.assert_close(logits, (scale * image @ text.t()).detach())


def test_random_negatives_do_not_ask_the_two_towers(monkeypatch):
    head = RankingHead(32, two_tower=two_tower_config(), negatives='random')
    monkeypatch.setattr(head.two_tower, 'encode', lambda *_: pytest.fail('asked'))
    losses, logits = head._propose(make_images(3), make_samples())
    assert losses == {} and not logits.any()


def test_images_are_scaled_for_the_two_towers_only():
    model, images = tiny_ranker(head=dict(two_tower_size=32)), make_images(2, size=64)
    samples = make_samples(TEXTS[:2], captions=[(text,) for text in TEXTS[:2]])
    first, _ = model.head.predict(model.encoder, images, samples)
    small = torch.nn.functional.interpolate(images, size=(32, 32), mode='bilinear', antialias=True)
    with torch.no_grad():
        torch.testing.assert_close(first.image_embeds, model.head.two_tower.encode_image(small)[0])
        torch.testing.assert_close(first.image_tokens, model.encoder.encode_image(images)[0])
