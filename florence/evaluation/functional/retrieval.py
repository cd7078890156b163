"""Ranks and recall of image-text retrieval in both directions, with several captions per image.

A query is a hit at K if any of its positives is among the first K candidates (the rule for COCO and
Flickr30k). Its rank is the number of competitors, that is candidates that are not positives, which do not
score below its best positive: a tie earns no credit, nor does a score that is not a number.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from florence.evaluation.functional.positive_pairs import PositivePairs
from florence.evaluation.functional.rank_counting import EmbeddingScores, MatrixScores, RetrievalRanks, count_ranks


def retrieval_ranks(
    image_embeds: Tensor,
    text_embeds: Tensor,
    captions: Sequence[Sequence[str]],
    *,
    same_text_is_positive: bool = True,
    chunk_size: int = 128,
) -> RetrievalRanks:
    """Rank every image among the captions and every caption among the images.

    Args:
        image_embeds: `(N, D)`, L2-normalised.
        text_embeds: `(M, D)`, L2-normalised; the captions of image 0, then of image 1, and so on.
        captions: The M captions, by image; at least one each.
        same_text_is_positive: Whether an equal caption string of another image counts as right.
        chunk_size: Images whose scores exist at once; some copies of `chunk_size` x M scores are the memory needed.

    Raises:
        ValueError: If the captions do not fit the embeddings, or an image has none.
    """
    _check(image_embeds, text_embeds, captions, chunk_size)
    positives = PositivePairs(captions, same_text_is_positive=same_text_is_positive)
    return count_ranks(EmbeddingScores(image_embeds.cpu(), text_embeds.cpu()), positives, chunk_size)


def score_ranks(
    scores: Tensor, captions: Sequence[Sequence[str]], *, same_text_is_positive: bool = True, chunk_size: int = 128
) -> RetrievalRanks:
    """As `retrieval_ranks`, from scores.

    Args:
        scores: `(N, M)`, of N images with M captions; compared as float32.
        captions: The M captions, by image; at least one each.
        same_text_is_positive: Whether an equal caption string of another image counts as right.
        chunk_size: Images whose scores are compared at once.

    Raises:
        ValueError: If the captions do not fit the scores, or an image has none.
    """
    _check(scores, scores.t(), captions, chunk_size)
    positives = PositivePairs(captions, same_text_is_positive=same_text_is_positive)
    return count_ranks(MatrixScores(scores.cpu()), positives, chunk_size)


def _check(image_embeds: Tensor, text_embeds: Tensor, captions: Sequence[Sequence[str]], chunk_size: int) -> None:
    num_captions = sum(len(own) for own in captions)
    if len(captions) != len(image_embeds) or num_captions != len(text_embeds) or not len(image_embeds):
        raise ValueError(
            'expected one list of captions per image and one embedding per caption, got '
            f'{len(image_embeds)} images, {len(captions)} lists with {num_captions} captions, and '
            f'{len(text_embeds)} text embeddings.'
        )
    if chunk_size < 1:
        raise ValueError(f'chunk_size must be at least 1, got {chunk_size}.')


def recall_at_k(ranks: Tensor, ks: Sequence[int]) -> dict[int, float]:
    """Share of queries with a positive among the first k candidates, percent.

    Args:
        ranks: 0-based ranks, `(Q,)`, Q > 0.
        ks: The values of k.
    """
    return {k: (ranks < k).double().mean().item() * 100 for k in ks}


def median_rank(ranks: Tensor) -> float:
    """Median of the 1-based ranks; between two middle values their mean."""
    return torch.quantile(ranks.double() + 1, 0.5).item()


def mean_rank(ranks: Tensor) -> float:
    """Mean of the 1-based ranks."""
    return (ranks.double() + 1).mean().item()


def fold_ranks(
    image_embeds: Tensor,
    text_embeds: Tensor,
    captions: Sequence[Sequence[str]],
    *,
    fold_size: int = 1000,
    same_text_is_positive: bool = True,
    chunk_size: int = 128,
) -> list[RetrievalRanks]:
    """Ranks within consecutive folds of images.

    The "COCO 1K" figures are the mean over five folds of 1,000 of the 5,000 test images.

    Args:
        image_embeds, text_embeds, captions, same_text_is_positive, chunk_size: As for `retrieval_ranks`.
        fold_size: Images per fold.

    Raises:
        ValueError: If the images do not fill whole folds, or as `retrieval_ranks`.
    """
    _check(image_embeds, text_embeds, captions, chunk_size)
    if fold_size < 1 or len(captions) % fold_size:
        raise ValueError(f'{len(captions)} images do not fill whole folds of {fold_size}: change fold_size.')
    text_starts = [0]
    for own in captions:
        text_starts.append(text_starts[-1] + len(own))
    return [
        retrieval_ranks(
            image_embeds[start : start + fold_size],
            text_embeds[text_starts[start] : text_starts[start + fold_size]],
            captions[start : start + fold_size],
            same_text_is_positive=same_text_is_positive,
            chunk_size=chunk_size,
        )
        for start in range(0, len(captions), fold_size)
    ]
