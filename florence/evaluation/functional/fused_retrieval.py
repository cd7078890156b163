"""Ranks of a retrieval in two steps: a two-tower model orders everything, a costly score reorders the candidates of each query.

Candidates stay before all others, which keep their two-tower order. So a query with a positive among its candidates has the rank
that the scores give it there, and one without has its two-tower rank.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from florence.evaluation.functional.positive_pairs import PositivePairs
from florence.evaluation.functional.rank_counting import RetrievalRanks
from florence.tasks.candidate_lists import OF_IMAGE, OF_TEXT


@dataclass(frozen=True)
class ScoredPairs:
    """P pairs that got a score.

    Attributes:
        images, texts: Indices, `(P,)` int64.
        scores: `(P,)` fp32.
        lists: `OF_IMAGE`, `OF_TEXT` or their sum, `(P,)` uint8.
    """

    images: Tensor
    texts: Tensor
    scores: Tensor
    lists: Tensor

    def of_fold(self, images: tuple[int, int], texts: tuple[int, int]) -> 'ScoredPairs':
        """Pairs within ranges of images and texts, counted from their starts."""
        keep = (self.images >= images[0]) & (self.images < images[1]) & (self.texts >= texts[0]) & (self.texts < texts[1])
        return ScoredPairs(self.images[keep] - images[0], self.texts[keep] - texts[0], self.scores[keep], self.lists[keep])


def reranked_ranks(pairs: ScoredPairs, positives: PositivePairs, two_tower: RetrievalRanks) -> RetrievalRanks:
    """Ranks after the candidates were reordered; a tie earns no credit.

    Args:
        pairs: With the scores of every candidate; those of a query are the first ones of its two-tower order, no two items of
            which tie across the border.
        positives: Of the same images and texts.
        two_tower: Ranks before.
    """
    is_positive = positives.contain(pairs.images, pairs.texts)
    return RetrievalRanks(
        image_to_text=_reranked(pairs, pairs.images, OF_IMAGE, is_positive, two_tower.image_to_text),
        text_to_image=_reranked(pairs, pairs.texts, OF_TEXT, is_positive, two_tower.text_to_image),
    )


def _reranked(pairs: ScoredPairs, queries: Tensor, direction: int, is_positive: Tensor, before: Tensor) -> Tensor:
    is_candidate = (pairs.lists & direction).bool()
    right, wrong = is_candidate & is_positive, is_candidate & ~is_positive
    best = torch.full((len(before),), -torch.inf).scatter_reduce_(0, queries[right], pairs.scores[right], 'amax')
    found = torch.zeros(len(before), dtype=torch.bool).index_fill_(0, queries[right], True)
    rivals = queries[wrong]
    # "not below" rather than "at least": it also counts scores that are not a number.
    ahead = torch.bincount(rivals[~(pairs.scores[wrong] < best[rivals])], minlength=len(before))
    return torch.where(found, ahead, before)
