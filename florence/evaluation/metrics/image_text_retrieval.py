"""Recall of image-text retrieval in both directions (Florence, arXiv 2111.11432, section 3.5)."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric

from florence.evaluation.functional.retrieval import (
    RetrievalRanks,
    fold_ranks,
    median_rank,
    recall_at_k,
    retrieval_ranks,
)
from florence.evaluation.metrics.sample_fields import read_fields
from florence.registry import METRICS


@METRICS.register_module()
class ImageTextRetrieval(BaseMetric):
    """Reads `image_embeds`, `text_embeds` and `captions`; the ranks are those of `functional.retrieval`.

    Gives `i2t_R@<k>` and `t2i_R@<k>` in percent, `i2t_median_rank` and `t2i_median_rank` (1 = best) and
    `mean_R`, the mean of all recalls. With `fold_size` also `fold_i2t_R@<k>` and `fold_t2i_R@<k>`, averaged
    over folds of that many images in the order of the data set.

    Args:
        ks: The values of k; none may exceed the number of images.
        same_text_is_positive: Whether an equal caption string of another image counts as right.
        chunk_size: Queries compared at once; memory grows with it.
        fold_size: Images per fold: 1000 for the "COCO 1K" figures of the 5,000 test images. None = no folds.
        collect_device, prefix, collect_dir: As for every mmengine metric.
    """

    default_prefix = ''

    def __init__(
        self,
        ks: Sequence[int] = (1, 5, 10),
        *,
        same_text_is_positive: bool = True,
        chunk_size: int = 512,
        fold_size: int | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        if not ks or min(ks) < 1:
            raise ValueError(f'ks must hold whole numbers from 1 on, got {ks!r}.')
        self.ks = tuple(ks)
        self.fold_size = fold_size
        self.rank_options = {'same_text_is_positive': same_text_is_positive, 'chunk_size': chunk_size}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the embeddings and captions of each sample.

        Raises:
            KeyError: If a field is missing.
            ValueError: If a sample has not one embedding per caption.
        """
        for sample in data_samples:
            image, text, captions = read_fields(self, sample, 'image_embeds', 'text_embeds', 'captions')
            if len(text) != len(captions):
                raise ValueError(
                    f'sample {sample.get("sample_id")!r} has {len(captions)} captions but {len(text)} text '
                    'embeddings: the model must embed every caption.'
                )
            embeds = (image.detach().float().cpu(), text.detach().float().cpu())
            self.results.append((sample.get('sample_id'), tuple(captions), *embeds))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Figures of the whole data set.

        Raises:
            ValueError: If there are fewer images than the largest k, or an image occurs twice.
        """
        if not results:
            raise ValueError('ImageTextRetrieval saw no sample: the data set of this evaluation is empty.')
        ids, captions, images, texts = zip(*results, strict=True)
        self._check(ids, captions)
        arguments = torch.stack(images), torch.cat(texts), captions
        ranks = retrieval_ranks(*arguments, **self.rank_options)
        metrics = self._recalls([ranks])
        metrics['mean_R'] = sum(metrics.values()) / len(metrics)
        metrics['i2t_median_rank'] = median_rank(ranks.image_to_text)
        metrics['t2i_median_rank'] = median_rank(ranks.text_to_image)
        if self.fold_size is not None:
            folds = fold_ranks(*arguments, fold_size=self.fold_size, **self.rank_options)
            metrics.update({f'fold_{name}': value for name, value in self._recalls(folds).items()})
        return metrics

    def _recalls(self, folds: list[RetrievalRanks]) -> dict[str, float]:
        """Recalls averaged over folds."""
        recalls = {}
        for direction, attribute in (('i2t', 'image_to_text'), ('t2i', 'text_to_image')):
            of_folds = [recall_at_k(getattr(fold, attribute), self.ks) for fold in folds]
            for k in self.ks:
                recalls[f'{direction}_R@{k}'] = sum(recall[k] for recall in of_folds) / len(of_folds)
        return recalls

    def _check(self, ids: Sequence[str | None], captions: Sequence[tuple[str, ...]]) -> None:
        candidates = min(len(captions), self.fold_size or len(captions))
        if candidates < max(self.ks):
            raise ValueError(
                f'R@{max(self.ks)} among {candidates} images means nothing: set ks of ImageTextRetrieval to '
                'smaller numbers or evaluate on more images.'
            )
        seen = set()
        for key in zip(ids, captions, strict=True):
            if key[0] is not None and key in seen:
                raise ValueError(
                    f'sample {key[0]!r} occurs twice, so each copy would compete with the other: give every '
                    'image to the evaluation once (a sampler that covers the data set, distinct sample ids).'
                )
            seen.add(key)
