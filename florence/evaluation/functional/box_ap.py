"""Average precision of boxes and masks over a data set, in numpy: the numbers of pycocotools' COCOeval, to the last bit.

Source: the rules of pycocotools' `cocoeval.py`. Nothing here loops over images or classes: see `box_ap_matching` (greedy matching
in machine words) and `box_ap_precision` (precision from the true positives alone) for how.
"""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from florence.evaluation.functional.box_ap_inputs import Detections, GroundTruth
from florence.evaluation.functional.box_ap_matching import match
from florence.evaluation.functional.box_ap_pairs import Ranked, find_edges, rank
from florence.evaluation.functional.box_ap_precision import needed_hits, precision_recall

Objects = TypeVar('Objects', GroundTruth, Detections)

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
AREA_RANGES = {'all': (0.0, 1e10), 'small': (0.0, 32.0**2), 'medium': (32.0**2, 96.0**2), 'large': (96.0**2, 1e10)}


@dataclass(frozen=True)
class PrecisionRecall:
    """Result of an evaluation; T thresholds, R recalls, K classes, A size ranges, M detections per image and class.

    Attributes:
        precision: Best precision at or beyond each recall, `(T, R, K, A, M)`, 0 to 1; -1 for classes without objects.
        recall: Recall of all detections, `(T, K, A, M)`, 0 to 1; -1 for classes without objects.
        iou_thresholds: `(T,)`.
        max_dets: Length M; None = all.
    """

    precision: np.ndarray
    recall: np.ndarray
    iou_thresholds: np.ndarray
    max_dets: tuple[int | None, ...]


def evaluate_detections(
    truth: GroundTruth,
    detections: Detections,
    *,
    num_images: int,
    num_classes: int,
    iou_type: str = 'bbox',
    iou_thresholds: np.ndarray = IOU_THRESHOLDS,
    max_dets: tuple[int | None, ...] = (1, 10, 100),
    class_agnostic: bool = False,
) -> PrecisionRecall:
    """Precision and recall over a data set.

    Args:
        truth: Annotated objects.
        detections: What was found.
        num_images: Images of the data set; indices lie below it.
        num_classes: Classes of the data set; indices lie below it.
        iou_type: `'bbox'` or `'segm'`.
        iou_thresholds: Least overlaps of a match, `(T,)`.
        max_dets: How many detections of an image and class count, ascending; `(None,)` = all.
        class_agnostic: Whether classes are left aside, as for proposals; K is 1 then.

    Raises:
        ValueError: If an index is out of range, a number is not finite, or masks are missing.
    """
    _check(truth, detections, num_images, num_classes)
    if class_agnostic:
        truth, detections, num_classes = _without_classes(truth), _without_classes(detections), 1
    truth_cells = truth.classes.astype(np.int64) * num_images + truth.images
    by_cell = np.argsort(truth_cells, kind='stable')
    truth, truth_cells = truth.select(by_cell), truth_cells[by_cell]
    ranked = rank(detections, num_images, max_dets[-1])
    lowest = min(float(np.min(iou_thresholds)), 1 - 1e-10)
    edges = find_edges(truth, truth_cells, detections, ranked, lowest, iou_type)
    never = truth.crowd if truth.ignored is None else truth.crowd | truth.ignored
    ignored = ~_in_ranges(truth.areas) | never
    candidates, hits, taken = match(edges, ranked.cells, ignored, truth.crowd, iou_thresholds)
    num_objects = np.stack([np.bincount(truth.classes[~of_area], minlength=num_classes) for of_area in ignored])
    in_range = _in_ranges(detection_areas(detections, iou_type)[ranked.index])
    if detections.forgiven is not None:
        in_range &= ~detections.forgiven[ranked.index]
    scores, classes = detections.scores[ranked.index], ranked.cells // num_images
    order = _by_class_and_score(scores, classes, num_classes)
    precision, recall = _accumulate(
        candidates, hits, taken, in_range, ranked, order=order, classes=classes, num_objects=num_objects, max_dets=max_dets
    )
    return PrecisionRecall(precision, recall, np.asarray(iou_thresholds), tuple(max_dets))


def detection_areas(detections: Detections, iou_type: str) -> np.ndarray:
    """Area of each detection's box or mask, pixels, `(D,)`."""
    if iou_type == 'bbox':
        return detections.boxes[:, 2] * detections.boxes[:, 3]
    from pycocotools import mask

    # One by one: with numpy 2, pycocotools 2.0.11 refuses more than 255 at once.
    return np.array([mask.area(one) for one in detections.masks or []], np.float64)


def _accumulate(
    candidates: np.ndarray,
    hits: np.ndarray,
    taken: np.ndarray,
    wrong_if_free: np.ndarray,
    ranked: Ranked,
    *,
    order: np.ndarray,
    classes: np.ndarray,
    num_objects: np.ndarray,
    max_dets: tuple[int | None, ...],
) -> tuple[np.ndarray, np.ndarray]:
    """Precision `(T, R, K, A, M)` and recall `(T, K, A, M)`.

    Args:
        candidates: Ranked detections with an overlapping object, `(C,)`.
        hits: Whether each matches an object that counts, `(T, A, C)`.
        taken: Whether each matches any object, `(T, A, C)`.
        wrong_if_free: Whether a detection that matches nothing counts as wrong, `(A, D)`.
        ranked: All detections, `(D,)`.
        order: They by class and score, `(D,)`.
        classes: Their classes, `(D,)`.
        num_objects: `(A, K)`.
        max_dets: Length M.
    """
    num_areas, num_classes = num_objects.shape
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    by_place = np.argsort(place[candidates], kind='stable')
    candidates = candidates[by_place]
    places, own_classes, own_ranks = place[candidates], classes[candidates], ranked.ranks[candidates]
    class_starts = np.searchsorted(classes[order], np.arange(num_classes))
    plain = np.ones(len(order), bool)
    plain[candidates] = False
    precision = np.empty((len(hits), len(RECALLS), num_classes, num_areas, len(max_dets)))
    recall = np.empty((len(hits), num_classes, num_areas, len(max_dets)))
    for area in range(num_areas):
        needed = needed_hits(num_objects[area], RECALLS)
        hit = hits[:, area, by_place]
        miss = ~taken[:, area, by_place] & wrong_if_free[area, candidates]
        plain_wrong = plain & wrong_if_free[area]
        for index, limit in enumerate(max_dets):
            within = slice(None) if limit is None else np.flatnonzero(own_ranks < limit)
            wrong = plain_wrong if limit is None else plain_wrong & (ranked.ranks < limit)
            before = np.r_[0, np.cumsum(wrong[order])]
            other = before[places] - before[class_starts][own_classes]
            precision[..., area, index], recall[..., area, index] = precision_recall(
                hit[:, within], miss[:, within], other[within], own_classes[within], num_objects[area], needed
            )
    return precision, recall


def _in_ranges(areas: np.ndarray) -> np.ndarray:
    """Whether an area lies in each size range, bounds included, `(A, N)` bool."""
    return np.stack([(areas >= low) & (areas <= high) for low, high in AREA_RANGES.values()])


def _by_class_and_score(scores: np.ndarray, classes: np.ndarray, num_classes: int) -> np.ndarray:
    """Order of the ranked detections by class, then score; equal scores in the order of images and ranks."""
    order = np.argsort(-scores, kind='stable')
    # numpy sorts small integers by radix
    small = classes.astype(np.uint16) if num_classes <= 1 << 16 else classes
    return order[np.argsort(small[order], kind='stable')]


def _without_classes(objects: Objects) -> Objects:
    """All in class 0; the classes still order the objects of an image."""
    by_class = objects.select(np.argsort(objects.classes, kind='stable'))
    return replace(by_class, classes=np.zeros_like(by_class.classes))


def _check(truth: GroundTruth, detections: Detections, num_images: int, num_classes: int) -> None:
    for what, objects in (('object', truth), ('detection', detections)):
        for name, limit in (('images', num_images), ('classes', num_classes)):
            index = getattr(objects, name)
            if len(index) and (index.min() < 0 or index.max() >= limit):
                raise ValueError(f'{what} {name} must lie in 0 to {limit - 1}, found {index.min()} to {index.max()}.')
    for what, values in (('boxes', detections.boxes), ('scores', detections.scores), ('boxes of objects', truth.boxes)):
        if not np.isfinite(values).all():
            raise ValueError(f'{what} must be finite, {int((~np.isfinite(values)).sum())} of {values.size} numbers are not.')
