"""Average precision of detections by the rules of Visual Genome's evaluation, VOC style.

The rules are those of `eval_detection_voc` in VinVL's scene_graph_benchmark (`evaluation/vg/vg_eval.py`), which descends from the
PASCAL VOC 2010 kit: a detection is right if its best ground truth of the same class has an IoU above the threshold and no
detection with a higher score took it before; it never falls back to the second best one. Widths and heights are `x2 - x1 + 1`, as
for pixel indices. The curve is made monotone and integrated at all points. A class without ground truth has AP 0 and counts for
the mean. The figures are equal bit by bit, ties included. Instead of walking through classes, images and detections, all pairs of
a detection and a ground truth of its class are compared at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

PAIRS_AT_ONCE = 2_000_000
"""Pairs whose IoU is computed together; bounds the memory to some hundred megabytes."""


@dataclass(frozen=True)
class FlatBoxes:
    """Labelled boxes of many images.

    Attributes:
        image: Index of the image of each box, `(N,)` int.
        boxes: xyxy in pixels, `(N, 4)`.
        label: Class index, `(N,)` int.
        score: Score, `(N,)`; None for ground truth.
    """

    image: np.ndarray
    boxes: np.ndarray
    label: np.ndarray
    score: np.ndarray | None = None


@dataclass(frozen=True)
class VocAP:
    """Average precisions as fractions.

    Attributes:
        ap: Of each class, `(C,)`; 0 where there is no ground truth or no detection.
        num_gt: Ground truths of each class, `(C,)`.
        mean: Over all classes: the published figure.
        weighted_mean: Over all classes, weighted with `num_gt`.
        mean_of_present: Over the classes with ground truth.
    """

    ap: np.ndarray
    num_gt: np.ndarray
    mean: float
    weighted_mean: float
    mean_of_present: float


def voc_detection_ap(predictions: FlatBoxes, ground_truth: FlatBoxes, num_classes: int, iou_threshold: float = 0.5) -> VocAP:
    """AP of every class and the means.

    Args:
        predictions: Detections with scores. Equal scores keep the order of numpy's sort, as in the official code.
        ground_truth: All boxes to be found.
        num_classes: Number of classes C.
        iou_threshold: A match needs more than this.

    Raises:
        ValueError: If there is no ground truth, a label lies outside `[0, C)`, or a prediction is not finite.
    """
    _check(predictions, ground_truth, num_classes)
    assert predictions.score is not None
    by_image = np.argsort(predictions.image, kind='stable')
    by_class = by_image[np.argsort(predictions.label[by_image], kind='stable')]
    labels = predictions.label[by_class]
    bounds = np.searchsorted(labels, np.arange(num_classes + 1))
    scores = predictions.score[by_class].astype(np.float64)
    order = by_class.copy()
    for first, last in zip(bounds[:-1], bounds[1:]):
        order[first:last] = by_class[first:last][np.argsort(-scores[first:last])]
    is_right = _first_claims(_best_matches(predictions, ground_truth, num_classes, iou_threshold)[order])
    num_gt = np.bincount(ground_truth.label, minlength=num_classes)
    ap = np.zeros(num_classes)
    for label in np.flatnonzero((num_gt > 0) & (np.diff(bounds) > 0)):
        ap[label] = _area(is_right[bounds[label] : bounds[label + 1]], num_gt[label])
    weights = num_gt.astype(np.float64)
    weights /= weights.sum()
    return VocAP(
        ap=ap,
        num_gt=num_gt,
        mean=float(np.mean(ap)),
        weighted_mean=float(np.average(ap, weights=weights)),
        mean_of_present=float(np.mean(ap[num_gt > 0])),
    )


def _check(predictions: FlatBoxes, ground_truth: FlatBoxes, num_classes: int) -> None:
    if len(ground_truth.label) == 0:
        raise ValueError('there is no ground-truth box at all: check the annotation file and the class names.')
    for name, boxes in (('prediction', predictions), ('ground truth', ground_truth)):
        outside = (boxes.label < 0) | (boxes.label >= num_classes)
        if outside.any():
            raise ValueError(
                f'a {name} has class index {boxes.label[outside][0]}, expected 0 to {num_classes - 1}: '
                'model and data set must have the same classes.'
            )
    for what, values in (('box', predictions.boxes), ('score', predictions.score)):
        if not np.isfinite(values).all():
            raise ValueError(f'a predicted {what} is not finite: look for the step of the model that gives NaN or infinity.')


def _best_matches(predictions: FlatBoxes, ground_truth: FlatBoxes, num_classes: int, iou_threshold: float) -> np.ndarray:
    """Index of the ground truth of the same image and class with the highest IoU, -1 where none exceeds the threshold, `(N,)`."""
    gt_key = ground_truth.image.astype(np.int64) * num_classes + ground_truth.label
    gt_order = np.argsort(gt_key, kind='stable')
    gt_key = gt_key[gt_order]
    gt_boxes = ground_truth.boxes[gt_order].astype(np.float64)
    key = predictions.image.astype(np.int64) * num_classes + predictions.label
    first = np.searchsorted(gt_key, key, 'left')
    counts = np.searchsorted(gt_key, key, 'right') - first
    best = np.full(len(key), -1, dtype=np.int64)
    candidates = np.flatnonzero(counts)
    for part in _parts(candidates, counts[candidates]):
        starts = np.concatenate([[0], np.cumsum(counts[part])[:-1]])
        flat = np.arange(counts[part].sum())
        gt = flat - np.repeat(starts - first[part], counts[part])
        iou = _paired_iou(np.repeat(predictions.boxes[part].astype(np.float64), counts[part], axis=0), gt_boxes[gt])
        highest = np.maximum.reduceat(iou, starts)
        # Of equal IoUs the first counts, as with argmax.
        at_highest = np.where(iou == np.repeat(highest, counts[part]), flat, len(flat))
        position = np.minimum.reduceat(at_highest, starts)
        matched = highest > iou_threshold
        best[part[matched]] = gt_order[gt[position[matched]]]
    return best


def _parts(candidates: np.ndarray, counts: np.ndarray) -> Iterator[np.ndarray]:
    """The candidates in runs of about `PAIRS_AT_ONCE` pairs."""
    part_of = np.cumsum(counts) // PAIRS_AT_ONCE
    for run in np.split(candidates, np.flatnonzero(np.diff(part_of)) + 1):
        if len(run):
            yield run


def _paired_iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """IoU of row with row, `(P,)`; the order of the operations is that of the official code."""
    left_top = np.maximum(boxes[:, :2], others[:, :2])
    right_bottom = np.minimum(boxes[:, 2:], others[:, 2:])
    sides = np.maximum(right_bottom - left_top + 1.0, 0.0)
    inter = sides[:, 0] * sides[:, 1]
    # Two boxes turned inside out can have no union; what is not a number exceeds no threshold.
    with np.errstate(invalid='ignore', divide='ignore'):
        return inter / (_area_of(boxes) + _area_of(others) - inter)


def _area_of(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0] + 1.0) * (boxes[:, 3] - boxes[:, 1] + 1.0)


def _first_claims(best: np.ndarray) -> np.ndarray:
    """Which detections are the first to claim their ground truth; `best` is `(N,)`, in order of score within a class."""
    claiming = np.flatnonzero(best >= 0)
    is_right = np.zeros(len(best), dtype=bool)
    is_right[claiming[np.unique(best[claiming], return_index=True)[1]]] = True
    return is_right


def _area(is_right: np.ndarray, num_gt: int) -> float:
    """Area under the monotone precision-recall curve of one class; `is_right` is in order of score, best first."""
    true_positives = np.cumsum(is_right.astype(np.float64))
    false_positives = np.cumsum((~is_right).astype(np.float64))
    recall = true_positives / float(num_gt)
    precision = true_positives / np.maximum(true_positives + false_positives, np.finfo(np.float64).eps)
    recall = np.concatenate([[0.0], recall, [1.0]])
    precision = np.concatenate([[0.0], precision, [0.0]])
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.flatnonzero(recall[1:] != recall[:-1])
    return float(np.sum((recall[steps + 1] - recall[steps]) * precision[steps + 1]))
