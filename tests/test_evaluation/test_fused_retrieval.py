"""Reordered candidates against a full ordering of everything, folds, and the metric's figures."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from florence.evaluation.functional import retrieval_ranks, score_ranks
from florence.evaluation.functional.fused_retrieval import ScoredPairs, reranked_ranks
from florence.evaluation.functional.positive_pairs import PositivePairs
from florence.evaluation.metrics import FusedRetrieval, ImageTextRetrieval
from florence.tasks.candidate_lists import OF_IMAGE, OF_TEXT


def candidate_pairs(scores, fused, top_k):
    """The pairs of the first K of each query that do not tie with the next, with the fused scores."""
    lists = torch.zeros(scores.shape, dtype=torch.uint8)
    for matrix, bits in ((scores, lists), (scores.t(), lists.t())):
        bit = OF_IMAGE if bits is lists else OF_TEXT
        for row, own in zip(matrix, bits, strict=True):
            bound = -torch.inf if len(row) <= top_k else row.sort(descending=True).values[top_k]
            own += (row > bound).to(torch.uint8) * bit
    images, texts = lists.nonzero(as_tuple=True)
    return ScoredPairs(images, texts, fused[images, texts], lists[images, texts])


def full_order_rank(similarities, fused, positive, top_k):
    """Rank of one query when candidates, by the fused score, stand before the rest, by similarity."""
    order = sorted(similarities, reverse=True)
    bound = -float('inf') if len(order) <= top_k else order[top_k]
    keys = [(1, score) if like > bound else (0, like) for like, score in zip(similarities, fused, strict=True)]
    best = max(key for key, right in zip(keys, positive, strict=True) if right)
    return sum(key >= best for key, right in zip(keys, positive, strict=True) if not right)


@st.composite
def small_sets(draw):
    """Few values and few strings, so that ties and shared captions are common."""
    captions = draw(st.lists(st.lists(st.sampled_from('abcd'), min_size=1, max_size=3), min_size=1, max_size=6))
    num_texts = sum(len(own) for own in captions)

    def matrix():
        rows = st.lists(st.integers(0, 4), min_size=num_texts, max_size=num_texts)
        return torch.tensor(draw(st.lists(rows, min_size=len(captions), max_size=len(captions)))).float()

    return captions, matrix(), matrix(), draw(st.integers(1, 5))


@settings(max_examples=150, deadline=None)
@given(small_sets(), st.booleans())
def test_ranks_are_those_of_the_full_order(drawn, same_text_is_positive):
    captions, similarities, fused, top_k = drawn
    options = {'same_text_is_positive': same_text_is_positive}
    positives = PositivePairs(captions, **options)
    ranks = reranked_ranks(candidate_pairs(similarities, fused, top_k), positives, score_ranks(similarities, captions, **options))
    owner = [i for i, own in enumerate(captions) for _ in own]
    flat = [caption for own in captions for caption in own]
    right = torch.tensor(
        [
            [owner[j] == i or (same_text_is_positive and text in own) for j, text in enumerate(flat)]
            for i, own in enumerate(captions)
        ]
    )
    for own, axes in ((ranks.image_to_text, (0, 1)), (ranks.text_to_image, (1, 0))):
        tables = [table.permute(axes).tolist() for table in (similarities, fused, right)]
        assert own.tolist() == [full_order_rank(*rows, top_k) for rows in zip(*tables, strict=True)]


def test_a_score_that_is_not_a_number_earns_nothing():
    captions, similarities = [('a',), ('b',)], torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    fused = torch.tensor([[float('nan'), 0.0], [0.0, 1.0]])
    pairs = candidate_pairs(similarities, fused, 2)
    ranks = reranked_ranks(pairs, PositivePairs(captions), score_ranks(similarities, captions))
    assert ranks.image_to_text.tolist() == [1, 0] and ranks.text_to_image.tolist() == [1, 0]


def results_of(num_images=12, top_k=4, complete=False):
    """Samples as the loop gives them, their embeddings and scores."""
    captions = [(f'{i}', f'{i}b') if i % 2 else (f'{i}',) for i in range(num_images)]
    num_texts = sum(map(len, captions))
    images, texts = (normalize(torch.randn(n, 4), dim=1) for n in (num_images, num_texts))
    fused = torch.randn(num_images, num_texts)
    pairs, samples, start = candidate_pairs(images @ texts.t(), fused, top_k), [], 0
    for i, own in enumerate(captions):
        sample = dict(sample_id=str(i), captions=own, image_embeds=images[i], text_embeds=texts[start : start + len(own)])
        start += len(own)
        of_image = pairs.images == i
        if complete:
            sample['pair_scores'] = fused[i]
        else:
            sample['pair_scores'], sample['pair_texts'] = pairs.scores[of_image], pairs.texts[of_image].int()
            sample['pair_lists'] = pairs.lists[of_image]
        samples.append(sample)
    return samples, images, texts, captions, fused, pairs


def figures(metric, samples):
    metric.process(None, samples)
    return metric.evaluate(len(samples))


def test_two_tower_figures_are_those_of_the_plain_metric():
    samples, *_ = results_of()
    ours = figures(FusedRetrieval(ks=(1, 3), fold_size=4), samples)
    plain = figures(ImageTextRetrieval(ks=(1, 3), fold_size=4), samples)
    two_tower = {name.removeprefix('two_tower_'): value for name, value in ours.items() if name.startswith('two_tower_')}
    assert two_tower == plain
    assert {f'two_tower_{name}' for name in ours if not name.startswith('two_tower_')} == {f'two_tower_{name}' for name in plain}


def test_folds_are_those_of_a_model_that_reorders_within_them():
    samples, images, texts, captions, _, pairs = results_of()
    ours = figures(FusedRetrieval(ks=(1, 2), fold_size=4), samples)
    recalls = []
    for fold in range(3):
        own, own_texts = (4 * fold, 4 * fold + 4), (6 * fold, 6 * fold + 6)
        before = retrieval_ranks(images[slice(*own)], texts[slice(*own_texts)], captions[slice(*own)])
        ranks = reranked_ranks(pairs.of_fold(own, own_texts), PositivePairs(captions[slice(*own)]), before)
        recalls.append((ranks.image_to_text < 2).double().mean() * 100)
    assert ours['fold_i2t_R@2'] == pytest.approx(float(sum(recalls) / 3))


def test_complete_rows_are_ranked_by_score_alone():
    samples, _, _, captions, fused, _ = results_of(complete=True)
    ours = figures(FusedRetrieval(ks=(1, 3), fold_size=6), samples)
    ranks = score_ranks(fused, captions)
    assert ours['t2i_R@3'] == pytest.approx(float((ranks.text_to_image < 3).double().mean() * 100))
    halves = [score_ranks(fused[:6, :9], captions[:6]), score_ranks(fused[6:, 9:], captions[6:])]
    expected = sum(float((half.image_to_text < 1).double().mean()) for half in halves) * 50
    assert ours['fold_i2t_R@1'] == pytest.approx(expected)


def test_what_is_missing_is_named():
    samples, *_ = results_of()
    with pytest.raises(KeyError, match='FusedRetrievalValLoop'):
        FusedRetrieval().process(None, [{'captions': ('a',), 'sample_id': '0'}])
    with pytest.raises(ValueError, match='12 images do not fill whole folds of 5'):
        figures(FusedRetrieval(ks=(1,), fold_size=5), samples)
    for metric in (FusedRetrieval, ImageTextRetrieval):
        for fold_size in (0, -4, 2.0):
            with pytest.raises(ValueError, match='fold_size must be a whole number from 1 on'):
                metric(fold_size=fold_size)
        for ks in ((), 5, (1, 2.5), (0,)):
            with pytest.raises(ValueError, match='ks must be a list of whole numbers from 1 on'):
                metric(ks=ks)
    with pytest.raises(ValueError, match="sample '0' occurs twice"):
        figures(FusedRetrieval(ks=(1,)), samples + samples[:1])
    with pytest.raises(ValueError, match='R@50 among 12 images means nothing: set ks of FusedRetrieval'):
        figures(FusedRetrieval(ks=(50,)), samples)
