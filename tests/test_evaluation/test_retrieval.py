"""Retrieval ranks against a brute-force count, by hand, and under changes that must not matter."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from florence.evaluation.functional import fold_ranks, median_rank, recall_at_k, retrieval_ranks, score_ranks
from florence.evaluation.functional.rank_counting import EmbeddingScores

E = torch.eye(4)


def brute_force(images, texts, captions, same_text_is_positive):
    """Ranks from the full similarity, one query at a time."""
    owner = [i for i, own in enumerate(captions) for _ in own]
    flat = [caption for own in captions for caption in own]
    scores = (images.double() @ texts.double().T).float()

    def is_positive(i, j):
        return owner[j] == i or (same_text_is_positive and flat[j] in captions[i])

    def rank(values, positive):
        best = max(value for value, right in zip(values, positive, strict=True) if right)
        return sum(value >= best for value, right in zip(values, positive, strict=True) if not right)

    images, texts = range(len(captions)), range(len(flat))
    image_to_text = [rank(scores[i].tolist(), [is_positive(i, j) for j in texts]) for i in images]
    text_to_image = [rank(scores[:, j].tolist(), [is_positive(i, j) for i in images]) for j in texts]
    return image_to_text, text_to_image


def test_by_hand_several_captions():
    images = E[:3]
    # image 0 is found by its second caption only, image 1 by none, image 2 by its first
    texts = normalize(torch.stack([E[3], E[0], E[2] + 0.1 * E[1], E[2]]), dim=1)
    ranks = retrieval_ranks(images, texts, [('a', 'b'), ('c',), ('d',)])
    # image 1 scores c highest (0.0995): rank 0; image 2: d (1.0) beats c
    assert ranks.image_to_text.tolist() == [0, 0, 0]
    # text a scores all images 0: a tie with both others; c prefers image 2
    assert ranks.text_to_image.tolist() == [2, 0, 1, 0]
    assert recall_at_k(ranks.text_to_image, (1, 2, 3)) == {1: 50.0, 2: 75.0, 3: 100.0}


def test_constant_embeddings_earn_nothing():
    embeds = normalize(torch.ones(30, 7), dim=1)
    ranks = retrieval_ranks(embeds, embeds, [(str(i),) for i in range(30)], chunk_size=7)
    assert ranks.image_to_text.tolist() == ranks.text_to_image.tolist() == [29] * 30


def test_same_text_of_another_image():
    images, texts = E[:2], torch.stack([E[0], E[0]])
    captions = [('a red seven',), ('a red seven',)]
    ranks = retrieval_ranks(images, texts, captions)
    assert ranks.image_to_text.tolist() == [0, 0] and ranks.text_to_image.tolist() == [0, 0]
    classical = retrieval_ranks(images, texts, captions, same_text_is_positive=False)
    # the twin's caption has the same score: no credit
    assert classical.image_to_text.tolist() == [1, 1] and classical.text_to_image.tolist() == [0, 1]


def test_an_image_may_repeat_a_caption():
    ranks = retrieval_ranks(E[:2], E[[0, 0, 1]], [('a', 'a'), ('b',)])
    assert ranks.image_to_text.tolist() == [0, 0] and ranks.text_to_image.tolist() == [0, 0, 0]


def test_nan_is_a_miss():
    texts = E[:2].clone()
    texts[1] = float('nan')
    ranks = retrieval_ranks(E[:2], texts, [('a',), ('b',)])
    assert ranks.image_to_text.tolist() == [1, 1] and ranks.text_to_image.tolist() == [0, 1]


def test_median_rank():
    assert median_rank(torch.tensor([0, 4, 2])) == 3.0
    assert median_rank(torch.tensor([0, 1, 2, 9])) == 2.5


def test_folds_equal_separate_evaluations():
    captions = [(f'{i}', f'{i}b') if i % 2 else (f'{i}',) for i in range(12)]
    texts = normalize(torch.randn(18, 3), dim=1)
    images = normalize(torch.randn(12, 3), dim=1)
    folds = fold_ranks(images, texts, captions, fold_size=4)
    assert len(folds) == 3
    for index, fold in enumerate(folds):
        own, own_texts = slice(4 * index, 4 * index + 4), slice(6 * index, 6 * index + 6)
        alone = retrieval_ranks(images[own], texts[own_texts], captions[own])
        assert torch.equal(fold.image_to_text, alone.image_to_text)
        assert torch.equal(fold.text_to_image, alone.text_to_image)
    with pytest.raises(ValueError, match='12 images do not fill whole folds of 5'):
        fold_ranks(images, texts, captions, fold_size=5)


@pytest.mark.parametrize(
    ('captions', 'texts', 'message'),
    [
        ([('a',), ()], E[:1], '1 images have no caption, first index 1'),
        ([('a',), ('b', 'c')], E[:2], '2 lists with 3 captions, and 2 text embeddings'),
        ([('a',)], E[:1], '2 images, 1 lists'),
    ],
)
def test_mismatches(captions, texts, message):
    with pytest.raises(ValueError, match=message):
        retrieval_ranks(E[:2], texts, captions)


@st.composite
def small_sets(draw):
    """Few directions and few strings, so that ties and shared captions are common."""
    captions_of_image = st.lists(st.sampled_from('abcde'), min_size=1, max_size=3)
    captions = draw(st.lists(captions_of_image, min_size=1, max_size=7))
    num_texts = sum(len(own) for own in captions)
    vector = st.lists(st.integers(-1, 2), min_size=2, max_size=2)
    images = draw(st.lists(vector, min_size=len(captions), max_size=len(captions)))
    texts = draw(st.lists(vector, min_size=num_texts, max_size=num_texts))
    return torch.tensor(images).float(), torch.tensor(texts).float(), captions


@settings(max_examples=150, deadline=None)
@given(small_sets(), st.booleans(), st.integers(1, 8))
def test_equals_brute_force_for_every_chunk_size(sets, same_text_is_positive, chunk_size):
    ranks = retrieval_ranks(*sets, same_text_is_positive=same_text_is_positive, chunk_size=chunk_size)
    expected = brute_force(*sets, same_text_is_positive)
    assert (ranks.image_to_text.tolist(), ranks.text_to_image.tolist()) == expected


def test_chunk_size_does_not_matter_for_real_valued_embeddings():
    vectors = normalize(torch.randn(40, 64), dim=1)
    # every vector occurs several times: the ties must survive any split of the matrix product
    images, texts = vectors[torch.randint(40, (150,))], vectors[torch.randint(40, (301,))]
    captions = [(f'{i}', f'{i}b') for i in range(149)] + [('x', 'y', 'z')]
    reference = retrieval_ranks(images, texts, captions, chunk_size=1)
    for chunk_size in (7, 64, 1000):
        ranks = retrieval_ranks(images, texts, captions, chunk_size=chunk_size)
        assert torch.equal(ranks.image_to_text, reference.image_to_text)
        assert torch.equal(ranks.text_to_image, reference.text_to_image)


@pytest.mark.skipif(not hasattr(torch.backends.mkldnn, 'matmul'), reason='torch before 2.9 has no setting for the CPU alone')
def test_faster_products_of_torch_do_not_matter():
    """Of random vectors so many are nearly as close that products in bfloat16 would change ranks."""
    images, texts = normalize(torch.randn(100, 64), dim=1), normalize(torch.randn(300, 64), dim=1)
    captions = [(f'{i}', f'{i}b', f'{i}c') for i in range(100)]
    expected = brute_force(images, texts, captions, True)
    precision = torch.backends.mkldnn.matmul
    before = precision.fp32_precision
    try:
        precision.fp32_precision = 'bf16'
        ranks = retrieval_ranks(images, texts, captions)
    finally:
        precision.fp32_precision = before
    assert (ranks.image_to_text.tolist(), ranks.text_to_image.tolist()) == expected


@settings(max_examples=100, deadline=None)
@given(small_sets(), st.booleans(), st.integers(1, 8))
def test_ranks_from_scores_are_those_from_embeddings(sets, same_text_is_positive, chunk_size):
    images, texts, captions = sets
    options = {'same_text_is_positive': same_text_is_positive, 'chunk_size': chunk_size}
    ranks, expected = score_ranks(images @ texts.T, captions, **options), retrieval_ranks(*sets, **options)
    assert torch.equal(ranks.image_to_text, expected.image_to_text) and torch.equal(ranks.text_to_image, expected.text_to_image)


def test_scores_too_close_for_float32_are_computed_again(monkeypatch):
    """Texts that differ by less than the rounding of a float32 product: their order is that of exact sums."""
    texts = normalize(torch.randn(1, 512), dim=1).repeat(60, 1)
    texts[torch.arange(60), torch.randint(512, (60,))] *= 1 + torch.randint(-8, 9, (60,)) * 2**-22
    images = normalize(torch.randn(20, 512) + 3 * texts[:20], dim=1)
    captions = [(f'{i}', f'{i}b', f'{i}c') for i in range(20)]
    expected = brute_force(images, texts, captions, True)
    again = []
    pairs, block = EmbeddingScores.pairs, EmbeddingScores.exact_block
    monkeypatch.setattr(EmbeddingScores, 'pairs', lambda *args: again.append('pairs') or pairs(*args))
    monkeypatch.setattr(EmbeddingScores, 'exact_block', lambda *args: again.append('block') or block(*args))
    ranks = retrieval_ranks(images, texts, captions)
    assert (ranks.image_to_text.tolist(), ranks.text_to_image.tolist()) == expected
    assert 'block' in again  # nearly all are close
    far = normalize(torch.randn(60, 512), dim=1)
    far[[0, 3]] = texts[:2]  # of image 0 and of image 1
    again.clear()
    ranks = retrieval_ranks(images, far, captions)
    assert (ranks.image_to_text.tolist(), ranks.text_to_image.tolist()) == brute_force(images, far, captions, True)
    assert again.count('pairs') > 1 and 'block' not in again  # the first is that of the positives


def test_nan_in_scores_is_a_miss_in_both_directions():
    scores = torch.tensor([[float('nan'), 0.5], [0.1, 0.9]])
    ranks = score_ranks(scores, [('a',), ('b',)])
    assert ranks.image_to_text.tolist() == [1, 0] and ranks.text_to_image.tolist() == [1, 0]


def test_scores_must_fit_the_captions():
    with pytest.raises(ValueError, match='2 lists with 3 captions, and 2 text'):
        score_ranks(torch.zeros(2, 2), [('a',), ('b', 'c')])
