"""The twelve numbers of COCO, and average precision per class, from the arrays of an evaluation."""

from collections.abc import Sequence

import numpy as np

from florence.evaluation.functional.box_ap import AREA_RANGES, PrecisionRecall

AP_NAMES = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')
AR_NAMES = ('AR@{0}', 'AR@{1}', 'AR@{2}', 'AR_s@{2}', 'AR_m@{2}', 'AR_l@{2}')
SIZES = tuple(AREA_RANGES)


def average_precision(
    result: PrecisionRecall,
    *,
    classes: Sequence[int] | None = None,
    iou: float | None = None,
    area: str = 'all',
    max_det: int = -1,
) -> float:
    """Mean precision over recalls, over the classes that have objects, and over thresholds; -1 where no class has any.

    Args:
        result: Of `evaluate_detections`.
        classes: Indices of the classes to average; None = all.
        iou: One threshold instead of all.
        area: `'all'`, `'small'`, `'medium'` or `'large'`.
        max_det: Index into `max_dets`.

    Raises:
        ValueError: If `iou` is none of the thresholds.
    """
    values = result.precision[_threshold(result, iou)][:, :, :, SIZES.index(area), max_det]
    return _mean(values if classes is None else values[:, :, list(classes)])


def average_recall(
    result: PrecisionRecall, *, classes: Sequence[int] | None = None, area: str = 'all', max_det: int = -1
) -> float:
    """Mean recall over thresholds and the classes that have objects; -1 where no class has any.

    Args:
        result: Of `evaluate_detections`.
        classes: Indices of the classes to average; None = all.
        area: `'all'`, `'small'`, `'medium'` or `'large'`.
        max_det: Index into `max_dets`.
    """
    values = result.recall[:, :, SIZES.index(area), max_det]
    return _mean(values if classes is None else values[:, list(classes)])


def coco_stats(result: PrecisionRecall, classes: Sequence[int] | None = None) -> np.ndarray:
    """`COCOeval.stats`, `(12,)`, of a result with three `max_dets`.

    Args:
        result: Of `evaluate_detections`.
        classes: Indices of the classes to average; None = all.
    """
    assert len(result.max_dets) == 3, 'COCO reports recall at three numbers of detections'
    precision = [average_precision(result, classes=classes, iou=iou) for iou in (None, 0.5, 0.75)]
    precision += [average_precision(result, classes=classes, area=area) for area in SIZES[1:]]
    recall = [average_recall(result, classes=classes, max_det=index) for index in range(3)]
    recall += [average_recall(result, classes=classes, area=area) for area in SIZES[1:]]
    return np.array(precision + recall)


def per_class_ap(result: PrecisionRecall, iou: float | None = None) -> np.ndarray:
    """AP of each class at the last of `max_dets`, `(K,)`; -1 for classes without objects."""
    return np.array([average_precision(result, classes=[index], iou=iou) for index in range(result.precision.shape[2])])


def _threshold(result: PrecisionRecall, iou: float | None) -> slice | np.ndarray:
    if iou is None:
        return slice(None)
    where = np.flatnonzero(np.isclose(result.iou_thresholds, iou))
    if not len(where):
        raise ValueError(f'IoU {iou} was not evaluated, only {result.iou_thresholds.round(3).tolist()}.')
    return where


def _mean(values: np.ndarray) -> float:
    valid = values[values > -1]
    return float(np.mean(valid)) if len(valid) else -1.0
