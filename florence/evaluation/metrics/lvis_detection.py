"""LVIS's metrics of boxes and masks, the usual AP and the fixed AP (`functional.lvis_federated` states the rules).

Differs from mmdet's `LVISMetric` and `LVISFixedAPMetric`: needs no `lvis` package, figures are not rounded, both kinds of AP come
from one pass over the predictions.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from florence.evaluation.functional.coco_annotations import load_annotation_file, to_arrays
from florence.evaluation.functional.coco_classes import match_labels, restrict
from florence.evaluation.functional.coco_predictions import ImagePrediction, read_prediction, to_detections
from florence.evaluation.functional.lvis_federated import evaluate_lvis, read_rules
from florence.evaluation.leaderboards.coco_submission import write_predictions
from florence.registry import METRICS


@METRICS.register_module()
class LVISDetectionMetric(BaseMetric):
    """Reads `pred_instances` of mmdet's samples.

    Gives `bbox_AP`, `bbox_AP50`, `bbox_AP75`, `bbox_APs`, `_APm`, `_APl`, `_APr`, `_APc`, `_APf` and `bbox_AR@300`,
    `bbox_ARs@300`, ..., likewise `segm_*`; with `fixed_ap` also `bbox_fixed_AP`, ...; 0 to 1, or -1 where nothing of the kind is
    annotated.

    Args:
        ann_file: Annotation file of LVIS (v0.5, v1 or minival).
        metric: One or both of `'bbox'` and `'segm'`.
        fixed_ap: Whether to report the fixed AP too; the model must not cut its detections per image for it.
        max_per_image: Detections of an image that count for the usual AP.
        max_per_class: Detections of a class that count for the fixed AP.
        format_only: Only write the results.
        outfile_prefix: Write results to `PREFIX.bbox.json` and `PREFIX.segm.json`; None = do not.
        match_by: `'name'`, or `'id_order'` where the data set calls the categories by other names than the annotation file.
        collect_device, prefix, collect_dir: As for every mmengine metric.
    """

    default_prefix = 'lvis'

    def __init__(
        self,
        ann_file: str,
        metric: str | Sequence[str] = 'bbox',
        *,
        fixed_ap: bool = False,
        max_per_image: int = 300,
        max_per_class: int = 10000,
        format_only: bool = False,
        outfile_prefix: str | None = None,
        match_by: str = 'name',
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        self.metrics = (metric,) if isinstance(metric, str) else tuple(metric)
        if not self.metrics or set(self.metrics) - {'bbox', 'segm'}:
            raise ValueError(f"metric of LVISDetectionMetric must be of ('bbox', 'segm'), got {self.metrics!r}.")
        if match_by not in ('name', 'id_order'):
            raise ValueError(f"match_by of LVISDetectionMetric must be 'name' or 'id_order', got {match_by!r}.")
        if format_only and outfile_prefix is None:
            raise ValueError('format_only of LVISDetectionMetric writes results and needs outfile_prefix.')
        self.content = load_annotation_file(ann_file)
        self.fixed_ap, self.max_per_image, self.max_per_class = fixed_ap, max_per_image, max_per_class
        self.format_only, self.outfile_prefix, self.match_by = format_only, outfile_prefix, match_by

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the arrays of each prediction.

        Raises:
            KeyError: If a field is missing.
            ValueError: If a prediction is broken, or the data set has no class names.
        """
        classes = (self.dataset_meta or {}).get('classes')
        if not classes:
            raise ValueError('the data set has no class names: give it metainfo=dict(classes=(...)).')
        for sample in data_samples:
            self.results.append(read_prediction(sample, len(classes), with_masks='segm' in self.metrics))

    def compute_metrics(self, results: list[ImagePrediction]) -> dict[str, float]:
        """Figures of the whole data set.

        Raises:
            ValueError: If predictions and annotations do not belong together.
        """
        if not results:
            raise ValueError('LVISDetectionMetric saw no sample: the data set of this evaluation is empty.')
        annotations = to_arrays(self.content, with_masks='segm' in self.metrics and not self.format_only)
        labels = match_labels(annotations, self.dataset_meta['classes'], self.match_by)
        if self.outfile_prefix is not None:
            write_predictions(self.outfile_prefix, self.metrics, results, np.array(annotations.category_ids)[labels])
        if self.format_only:
            return {}
        ignored = np.array([bool(annotation.get('ignore', 0)) for annotation in self.content.get('annotations', [])], bool)
        annotations = replace(annotations, truth=replace(annotations.truth, ignored=ignored))
        annotations, labels = restrict(annotations, labels, self.dataset_meta['classes'])
        rules = read_rules(self.content, annotations)
        num_images = len(annotations.image_ids)
        figures: dict[str, float] = {}
        for metric in self.metrics:
            detections = to_detections(results, annotations.image_ids, labels, masks=metric == 'segm')
            usual = evaluate_lvis(
                annotations.truth, detections, rules, num_images=num_images, iou_type=metric, max_per_image=self.max_per_image
            )
            for name, value in usual.items():
                figures[f'{metric}_{name}' + (f'@{self.max_per_image}' if name.startswith('AR') else '')] = value
            if self.fixed_ap:
                limits = {'max_per_image': None, 'max_per_class': self.max_per_class}
                fixed = evaluate_lvis(annotations.truth, detections, rules, num_images=num_images, iou_type=metric, **limits)
                figures |= {f'{metric}_fixed_{name}': value for name, value in fixed.items() if name.startswith('AP')}
        return figures
