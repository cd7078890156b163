"""Top-k and mean-per-class accuracy of zero-shot classification (Florence, arXiv 2111.11432, section 3.1).

The figures are percent. Ties count against the prediction (`florence.evaluation.functional.accuracy`).
"""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric

from florence.evaluation.functional.accuracy import mean_per_class_accuracy, rank_of_target, topk_accuracy
from florence.evaluation.metrics.sample_fields import read_fields
from florence.registry import METRICS


@METRICS.register_module()
class ZeroShotAccuracy(BaseMetric):
    """Reads `pred_scores` and `gt_label`; gives `top<k>` for each k and `mean_per_class` (top-1), in percent.

    Args:
        topk: The values of k; none may exceed the number of classes.
        collect_device, prefix, collect_dir: As for every mmengine metric.
    """

    default_prefix = ''

    def __init__(
        self,
        topk: Sequence[int] = (1, 5),
        *,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        if not topk or min(topk) < 1:
            raise ValueError(f'topk must hold whole numbers from 1 on, got {topk!r}.')
        self.topk = tuple(topk)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the rank of the true class and the class of each sample.

        Raises:
            KeyError: If a field is missing.
            ValueError: If there are fewer classes than the largest k, or a class index is out of range.
        """
        for sample in data_samples:
            scores, label = read_fields(self, sample, 'pred_scores', 'gt_label')
            if len(scores) < max(self.topk):
                raise ValueError(
                    f'top-{max(self.topk)} accuracy of {len(scores)} classes means nothing: set topk of '
                    'ZeroShotAccuracy to smaller numbers.'
                )
            target = torch.as_tensor(label).reshape(1).cpu()
            rank = rank_of_target(scores.detach().float().cpu()[None], target)
            self.results.append((int(rank), int(target)))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Figures of the whole data set, percent."""
        if not results:
            raise ValueError('ZeroShotAccuracy saw no sample: the data set of this evaluation is empty.')
        ranks, targets = torch.tensor(results).unbind(1)
        metrics = {f'top{k}': value for k, value in topk_accuracy(ranks, self.topk).items()}
        metrics['mean_per_class'] = mean_per_class_accuracy(ranks, targets)
        return metrics
