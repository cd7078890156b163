"""COCO's metrics of boxes, masks and proposals; exact as pycocotools, without its loops (`functional.box_ap`).

Differs from mmdet's `CocoMetric`: figures are not rounded; the recalls are reported too; boxes are cut at 100 per image and class
for every figure (there at 1000 for all but `bbox_mAP`); labels find their category by name, so neither the order of the file nor
that of the classes matters (there figures per class are mixed up when ids do not ascend with the classes); a class that the
annotation file does not have is an error.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from florence.evaluation.functional.box_ap import PrecisionRecall, evaluate_detections
from florence.evaluation.functional.coco_annotations import CocoAnnotations, from_instances, load_annotation_file, to_arrays
from florence.evaluation.functional.coco_classes import group_indices, match_labels, restrict
from florence.evaluation.functional.coco_official import evaluate_with_pycocotools
from florence.evaluation.functional.coco_predictions import ImagePrediction, read_prediction, to_detections
from florence.evaluation.functional.coco_summary import AP_NAMES, AR_NAMES, average_precision, average_recall, coco_stats
from florence.evaluation.leaderboards.coco_submission import write_predictions
from florence.registry import METRICS

METRIC_NAMES = ('bbox', 'segm', 'proposal')
BACKENDS = {'florence': evaluate_detections, 'pycocotools': evaluate_with_pycocotools}
MAX_DETS = (1, 10, 100)


@METRICS.register_module()
class CocoDetectionMetric(BaseMetric):
    """Reads `pred_instances` (`bboxes`, `scores`, `labels`, `masks`) of mmdet's samples.

    Gives COCO's twelve numbers as `bbox_mAP`, `bbox_mAP_50`, ..., `bbox_AR@100`, ..., likewise `segm_*`, and for proposals
    `AR@100`, `AR_s@1000`, ...; 0 to 1, or -1 where nothing of the size is annotated. With `classwise` also `bbox_mAP/<class>`,
    with `class_groups` the means over each group as `bbox_<group>_mAP` and so on.

    Args:
        ann_file: Annotation file; None = the samples' own `instances`.
        metric: One or several of `'bbox'`, `'segm'` and `'proposal'` (recall whatever the class).
        classwise: Whether to report each class.
        proposal_nums: Numbers of proposals per image, three, ascending.
        format_only: Only write the results, where there is no ground truth (test-dev).
        outfile_prefix: Write results to `PREFIX.bbox.json` and `PREFIX.segm.json`; None = do not.
        eval_classes: Evaluate these classes alone; None = all of the data set.
        class_groups: Names of groups and their classes, such as base and novel ones of a zero-shot split.
        class_agnostic: Whether `bbox` and `segm` leave classes aside.
        match_by: `'name'`, or `'id_order'` where the data set calls the categories by other names than the annotation file.
        backend: `'florence'`, or `'pycocotools'` to check it.
        collect_device, prefix, collect_dir: As for every mmengine metric.
    """

    default_prefix = 'coco'

    def __init__(
        self,
        ann_file: str | None = None,
        metric: str | Sequence[str] = 'bbox',
        *,
        classwise: bool = False,
        proposal_nums: Sequence[int] = (100, 300, 1000),
        format_only: bool = False,
        outfile_prefix: str | None = None,
        eval_classes: Sequence[str] | None = None,
        class_groups: Mapping[str, Sequence[str]] | None = None,
        class_agnostic: bool = False,
        match_by: str = 'name',
        backend: str = 'florence',
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        self.metrics = (metric,) if isinstance(metric, str) else tuple(metric)
        for what, values, allowed in (
            ('metric', self.metrics, METRIC_NAMES),
            ('backend', (backend,), tuple(BACKENDS)),
            ('match_by', (match_by,), ('name', 'id_order')),
        ):
            if not values or set(values) - set(allowed):
                raise ValueError(f'{what} of CocoDetectionMetric must be of {allowed}, got {values!r}.')
        if len(proposal_nums) != 3 or list(proposal_nums) != sorted(proposal_nums):
            raise ValueError(f'proposal_nums must be three ascending numbers, got {proposal_nums!r}.')
        if format_only and outfile_prefix is None:
            raise ValueError('format_only of CocoDetectionMetric writes results and needs outfile_prefix.')
        if class_agnostic and (class_groups or classwise):
            raise ValueError('class_agnostic leaves classes aside: drop classwise and class_groups, or set it to False.')
        self.content = None if ann_file is None else load_annotation_file(ann_file)
        if self.content is None and format_only:
            raise ValueError('format_only needs ann_file: results name the category ids of the annotation file.')
        self.classwise, self.class_agnostic = classwise, class_agnostic
        self.proposal_nums = tuple(proposal_nums)
        self.format_only, self.outfile_prefix = format_only, outfile_prefix
        self.eval_classes, self.class_groups = eval_classes, dict(class_groups or {})
        self.match_by, self.backend = match_by, backend

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels.

        Raises:
            ValueError: If the data set has none.
        """
        if not (self.dataset_meta or {}).get('classes'):
            raise ValueError('the data set has no class names: give it metainfo=dict(classes=(...)).')
        return tuple(self.dataset_meta['classes'])

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the arrays of each prediction.

        Raises:
            KeyError: If a field is missing.
            ValueError: If a prediction is broken: see `read_prediction`.
        """
        for sample in data_samples:
            prediction = read_prediction(
                sample, len(self.classes), with_masks='segm' in self.metrics, with_instances=self.content is None
            )
            self.results.append(prediction)

    def compute_metrics(self, results: list[ImagePrediction]) -> dict[str, float]:
        """Figures of the whole data set.

        Raises:
            ValueError: If predictions and annotations do not belong together.
        """
        if not results:
            raise ValueError('CocoDetectionMetric saw no sample: the data set of this evaluation is empty.')
        annotations = self._annotations(results)
        labels = match_labels(annotations, self.classes, self.match_by)
        if self.outfile_prefix is not None:
            kinds = ('segm', 'bbox') if 'segm' in self.metrics else ('bbox',)
            write_predictions(self.outfile_prefix, kinds, results, np.array(annotations.category_ids)[labels])
        if self.format_only:
            return {}
        annotations, labels = restrict(annotations, labels, self.classes, self.eval_classes)
        missing = len(annotations.image_ids) - len(results)
        if missing > 0:
            total = len(annotations.image_ids)
            print_log(f'{missing} of {total} images were not predicted; their objects count as missed.', 'current')
        figures: dict[str, float] = {}
        for metric in self.metrics:
            detections = to_detections(results, annotations.image_ids, labels, masks=metric == 'segm')
            agnostic = metric == 'proposal' or self.class_agnostic
            result = BACKENDS[self.backend](
                annotations.truth,
                detections,
                num_images=len(annotations.image_ids),
                num_classes=len(annotations.names),
                iou_type='segm' if metric == 'segm' else 'bbox',
                max_dets=self.proposal_nums if metric == 'proposal' else MAX_DETS,
                class_agnostic=agnostic,
            )
            figures |= self._figures(metric, result, annotations.names)
        return figures

    def _annotations(self, results: list[ImagePrediction]) -> CocoAnnotations:
        with_masks = 'segm' in self.metrics and not self.format_only
        if self.content is not None:
            return to_arrays(self.content, with_masks=with_masks)
        return from_instances(
            [result.image_id for result in results],
            [result.size for result in results],
            [result.instances or () for result in results],
            self.classes,
            with_masks=with_masks,
        )

    def _figures(self, metric: str, result: PrecisionRecall, names: tuple[str, ...]) -> dict[str, float]:
        recalls = [name.format(*result.max_dets) for name in AR_NAMES]
        if metric == 'proposal':
            return dict(zip(recalls, coco_stats(result)[6:].tolist()))
        figures = {f'{metric}_{name}': value for name, value in zip([*AP_NAMES, *recalls], coco_stats(result).tolist())}
        for group, classes in group_indices(self.class_groups, names, 'class_groups').items():
            figures |= {f'{metric}_{group}_mAP': average_precision(result, classes=classes)}
            figures |= {f'{metric}_{group}_mAP_50': average_precision(result, classes=classes, iou=0.5)}
            figures |= {f'{metric}_{group}_AR@{result.max_dets[-1]}': average_recall(result, classes=classes)}
        if self.classwise:
            for index, name in enumerate(names):
                figures[f'{metric}_mAP/{name}'] = average_precision(result, classes=[index])
                figures[f'{metric}_mAP_50/{name}'] = average_precision(result, classes=[index], iou=0.5)
        return figures
