"""Recall of image-text retrieval in both directions (Florence, arXiv 2111.11432, section 3.5)."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric

from florence.evaluation.functional.retrieval import fold_ranks, retrieval_ranks
from florence.evaluation.metrics.retrieval_figures import check_fold_size, check_images, check_ks, recall_figures, whole_figures
from florence.evaluation.metrics.sample_fields import read_fields
from florence.registry import METRICS


@METRICS.register_module()
class ImageTextRetrieval(BaseMetric):
    """Reads `image_embeds`, `text_embeds` and `captions`; the ranks are those of `functional.retrieval`.

    Gives `i2t_R@<k>` and `t2i_R@<k>` in percent, `i2t_median_rank`, `i2t_mean_rank` and those of t2i (1 = best), and
    `mean_R`, the mean of all recalls. With `fold_size` also `fold_i2t_R@<k>` and `fold_t2i_R@<k>`, averaged
    over folds of that many images in the order of the data set.

    Args:
        ks: The values of k; none may exceed the number of images.
        same_text_is_positive: Whether an equal caption string of another image counts as right.
        chunk_size: Images compared at once; memory grows with it.
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
        chunk_size: int = 128,
        fold_size: int | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        self.ks = check_ks(ks)
        self.fold_size = check_fold_size(fold_size)
        self.rank_options: dict[str, Any] = {'same_text_is_positive': same_text_is_positive, 'chunk_size': chunk_size}

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
        check_images(self, ids, captions, self.ks, self.fold_size)
        arguments: tuple[Any, ...] = torch.stack(images), torch.cat(texts), captions
        metrics = whole_figures(retrieval_ranks(*arguments, **self.rank_options), self.ks)
        if self.fold_size is not None:
            folds = fold_ranks(*arguments, fold_size=self.fold_size, **self.rank_options)
            metrics.update({f'fold_{name}': value for name, value in recall_figures(folds, self.ks).items()})
        return metrics
