"""Recall of a two-tower retrieval and of its candidates reordered by a fusion model, beside each other."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from florence.evaluation.functional.fused_retrieval import ScoredPairs, reranked_ranks
from florence.evaluation.functional.positive_pairs import PositivePairs
from florence.evaluation.functional.retrieval import RetrievalRanks, retrieval_ranks, score_ranks
from florence.evaluation.metrics.retrieval_figures import check_fold_size, check_images, check_ks, recall_figures, whole_figures
from florence.evaluation.metrics.sample_fields import read_fields
from florence.registry import METRICS


@METRICS.register_module()
class FusedRetrieval(BaseMetric):
    """Reads what `FusedRetrievalValLoop` gives: `captions`, `pair_scores`; `pair_texts` and `pair_lists` where not all pairs were
    scored; `image_embeds` and `text_embeds` where there is a two-tower model.

    Gives the figures of `ImageTextRetrieval` for the scores, and those of the two-tower model with `two_tower_` before their
    names. Within a fold the candidates of a query are those of the whole set that lie in it: fewer, but still its first ones.

    Args:
        ks: The values of k; none may exceed the number of images.
        same_text_is_positive: Whether an equal caption string of another image counts as right.
        fold_size: Images per fold: 1000 for the "COCO 1K" figures of the 5,000 test images. None = no folds.
        collect_device, prefix, collect_dir: As for every mmengine metric.

    Raises:
        ValueError: If `ks` is empty or holds a number below 1, or `fold_size` is below 1.
    """

    default_prefix = ''

    def __init__(
        self,
        ks: Sequence[int] = (1, 5, 10),
        *,
        same_text_is_positive: bool = True,
        fold_size: int | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        self.ks, self.fold_size, self.same_text_is_positive = check_ks(ks), check_fold_size(fold_size), same_text_is_positive

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep what the loop gave of each sample.

        Raises:
            KeyError: If a field is missing.
        """
        for sample in data_samples:
            captions, scores = read_fields(self, sample, 'captions', 'pair_scores')
            kept = {name: sample.get(name) for name in ('pair_texts', 'pair_lists', 'image_embeds', 'text_embeds')}
            tensors = {name: value.detach().cpu() for name, value in kept.items() if value is not None}
            self.results.append((sample.get('sample_id'), tuple(captions), scores.detach().float().cpu(), tensors))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Figures of the whole data set.

        Raises:
            ValueError: If there are fewer images than the largest k, an image occurs twice, or images do not fill whole folds.
        """
        if not results:
            raise ValueError('FusedRetrieval saw no sample: the data set of this evaluation is empty.')
        ids, captions, scores, tensors = zip(*results, strict=True)
        check_images(self, ids, captions, self.ks, self.fold_size)
        fused, two_tower = self._ranks(captions, scores, tensors, 0, len(captions))
        metrics = whole_figures(fused, self.ks)
        if two_tower is not None:
            metrics |= _named('two_tower_', whole_figures(two_tower, self.ks))
        if self.fold_size is None:
            return metrics
        if len(captions) % self.fold_size:
            raise ValueError(f'{len(captions)} images do not fill whole folds of {self.fold_size}: change fold_size.')
        folds = [
            self._ranks(captions, scores, tensors, first, first + self.fold_size)
            for first in range(0, len(captions), self.fold_size)
        ]
        metrics |= _named('fold_', recall_figures([fold[0] for fold in folds], self.ks))
        before = [fold[1] for fold in folds if fold[1] is not None]
        return metrics | (_named('two_tower_fold_', recall_figures(before, self.ks)) if before else {})

    def _ranks(
        self,
        captions: Sequence[tuple[str, ...]],
        scores: Sequence[Tensor],
        tensors: Sequence[dict[str, Tensor]],
        first: int,
        last: int,
    ) -> tuple[RetrievalRanks, RetrievalRanks | None]:
        """Ranks among the images `first` to `last` - 1 and their captions: by the scores, and of the two-tower model."""
        start = sum(len(own) for own in captions[:first])
        own_captions, own_tensors, own_scores = captions[first:last], tensors[first:last], scores[first:last]
        end = start + sum(len(own) for own in own_captions)
        options = {'same_text_is_positive': self.same_text_is_positive}
        two_tower = None
        if 'image_embeds' in own_tensors[0]:
            images = torch.stack([own['image_embeds'].float() for own in own_tensors])
            texts = torch.cat([own['text_embeds'].float() for own in own_tensors])
            two_tower = retrieval_ranks(images, texts, own_captions, **options)
        if 'pair_texts' not in own_tensors[0]:
            return score_ranks(torch.stack([row[start:end] for row in own_scores]), own_captions, **options), two_tower
        assert two_tower is not None, 'candidates come from a two-tower model'
        counts = torch.tensor([len(row) for row in own_scores])
        pairs = ScoredPairs(
            torch.arange(first, last).repeat_interleave(counts),
            torch.cat([own['pair_texts'] for own in own_tensors]).long(),
            torch.cat(list(own_scores)),
            torch.cat([own['pair_lists'] for own in own_tensors]),
        ).of_fold((first, last), (start, end))
        return reranked_ranks(pairs, PositivePairs(own_captions, **options), two_tower), two_tower


def _named(prefix: str, figures: dict[str, float]) -> dict[str, float]:
    return {prefix + name: value for name, value in figures.items()}
