"""Mean average precision of images with several classes (VOC2007 in arXiv 2111.11432, section 3.1)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from florence.evaluation.functional.mean_ap import MODES, multi_label_ap
from florence.evaluation.metrics.sample_fields import read_fields
from florence.registry import METRICS


@METRICS.register_module()
class MultiLabelAP(BaseMetric):
    """Reads `pred_scores` and `gt_labels`; gives `mAP` in percent over the classes that have a sample.

    Args:
        mode: `'11points'` (VOC2007) or `'area'` (VOC2010 and later).
        collect_device, prefix, collect_dir: As for every mmengine metric.
    """

    default_prefix = ''

    def __init__(
        self,
        mode: str = '11points',
        *,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        if mode not in MODES:
            raise ValueError(f"mode of MultiLabelAP must be '11points' or 'area', got {mode!r}.")
        self.mode = mode

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the scores and classes of each sample.

        Raises:
            KeyError: If a field is missing.
        """
        for sample in data_samples:
            scores, labels = read_fields(self, sample, 'pred_scores', 'gt_labels')
            scores = scores.detach().float().cpu().numpy()
            self.results.append((scores, tuple(int(label) for label in labels)))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Figures of the whole data set, percent."""
        if not results:
            raise ValueError('MultiLabelAP saw no sample: the data set of this evaluation is empty.')
        scores, labels = zip(*results, strict=True)
        per_class = multi_label_ap(np.stack(scores), labels, self.mode)
        absent = np.flatnonzero(np.isnan(per_class)).tolist()
        if len(absent) == len(per_class):
            raise ValueError('MultiLabelAP found no sample with a class: check `gt_labels` of the data set.')
        if absent:
            print_log(f'mAP leaves out the classes {absent}: they have no positive sample.', logger='current')
        return {'mAP': float(np.nanmean(per_class))}
