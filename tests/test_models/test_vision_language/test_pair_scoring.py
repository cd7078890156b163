"""Cached scores against the whole model run for every pair."""

import pytest
import torch
from tiny_ranking import CAPTIONS, TinyRetrievalSet, brute_force, collate, tiny_ranker

from florence.models.vision_language.pair_scoring import PairScorer

TEXTS = [caption for own in CAPTIONS for caption in own]


def encoded(model):
    data = TinyRetrievalSet()
    samples = model.test_step(collate([data[index] for index in range(len(data))]))
    return torch.stack([sample.image_tokens for sample in samples]), [text for sample in samples for text in sample.text_tokens]


@pytest.mark.parametrize('num_layers', [1, 2, 3])
@pytest.mark.parametrize('mode', ['co_attention', 'merged_attention'])
def test_scores_equal_brute_force_for_every_batch(mode, num_layers):
    model = tiny_ranker(two_tower=False, mode=mode)
    if num_layers != 2:
        fusion = model.encoder.fusion
        names = ['merged_layers'] if mode == 'merged_attention' else ['text_layers', 'image_layers']
        for name in names:
            layers = getattr(fusion, name)
            setattr(fusion, name, type(layers)([*layers, *layers][:num_layers]))
    expected = brute_force(model)
    assert expected.std() > 0.1  # else any order would do
    images, texts = encoded(model)
    assert len({len(text) for text in texts}) > 3
    for pair_batch in (1, 7, 1000):
        rows = model.head.rank(model.encoder, images, texts, [None] * len(images), pair_batch=pair_batch)
        torch.testing.assert_close(torch.stack(rows), expected, atol=1e-4, rtol=0)


def test_only_the_candidates_are_scored():
    model = tiny_ranker(two_tower=False)
    expected, (images, texts) = brute_force(model), encoded(model)
    candidates = [torch.tensor([3, 0]), torch.tensor([], dtype=torch.int64), torch.tensor([9])]
    rows = model.head.rank(model.encoder, images[:3], texts, candidates, pair_batch=2)
    assert [len(row) for row in rows] == [2, 0, 1]
    torch.testing.assert_close(torch.cat(rows), torch.stack([expected[0, 3], expected[0, 0], expected[2, 9]]), atol=1e-4, rtol=0)


def test_the_part_of_an_item_alone_is_computed_once(monkeypatch):
    model = tiny_ranker(two_tower=False)
    images, texts = encoded(model)
    prepared = {'prepare_images': 0, 'prepare_texts': 0}
    for name in prepared:
        original = getattr(PairScorer, name)

        def counted(self, tokens, original=original, name=name):
            prepared[name] += len(tokens)
            return original(self, tokens)

        monkeypatch.setattr(PairScorer, name, counted)
    model.head.rank(model.encoder, images, texts, [None] * len(images), pair_batch=1000)
    assert prepared == {'prepare_images': len(images), 'prepare_texts': len(TEXTS)}


def test_half_precision_tokens_give_nearly_the_same():
    model = tiny_ranker(two_tower=False)
    images, texts = encoded(model)
    half = [text.half() for text in texts]
    rows = model.head.rank(model.encoder, images.half(), half, [None] * len(images), pair_batch=64)
    torch.testing.assert_close(torch.stack(rows), brute_force(model), atol=0.05, rtol=0)
