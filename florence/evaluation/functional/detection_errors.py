"""What is wrong with a detection: kinds of errors as TIDE tells them apart (arXiv 2008.08115, section 2.2), counted.

| kind | the detection |
|---|---|
| `correct` | takes an object of its class with IoU >= 0.5 that no surer one took |
| `duplicate` | the same, but a surer one took the object |
| `class` | IoU >= 0.5 with an object of another class |
| `localisation` | IoU from 0.1 to 0.5 with an object of its class |
| `class_and_localisation` | IoU from 0.1 to 0.5 with an object of another class |
| `background` | IoU below 0.1 with every object |
| `ignored` | lies in a crowd region of its class; counts nowhere |

`missed` counts the objects that no correct detection took. TIDE leaves out those that a wrong detection covers; here they count,
so that correct and missed add up to the objects. A detection's kind depends on surer ones only, so a score threshold may be
chosen afterwards.
"""

from dataclasses import dataclass

import numpy as np

KINDS = ('correct', 'duplicate', 'class', 'localisation', 'class_and_localisation', 'background', 'ignored')
CORRECT, DUPLICATE, CLASS, LOCALISATION, BOTH, BACKGROUND, IGNORED = range(len(KINDS))
MATCH, NEAR = 0.5, 0.1


@dataclass(frozen=True)
class ImageBoxes:
    """Boxes of one image.

    Attributes:
        boxes: xyxy in pixels, `(N, 4)`.
        labels: `(N,)`.
        scores: `(N,)`; None for the truth.
        crowd: Regions with many objects, `(N,)` bool; None: no box is one.
    """

    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray | None = None
    crowd: np.ndarray | None = None


@dataclass(frozen=True)
class ErrorSplit:
    """Counts at a score threshold.

    Attributes:
        counts: Detections of each kind but `ignored`, and `missed`.
        precision, recall, f1: Of all detections together, whatever their class; 1 where there is nothing to find or be found.
    """

    counts: dict[str, int]
    precision: float
    recall: float
    f1: float


def detection_kinds(found: ImageBoxes, truth: ImageBoxes) -> np.ndarray:
    """Kind of each detection of an image, `(N,)`, an index into `KINDS`.

    Args:
        found: Detections with scores.
        truth: The objects.
    """
    crowd = np.zeros(len(truth.labels), bool) if truth.crowd is None else truth.crowd
    gt_labels = truth.labels[~crowd]
    inter = _intersection(found.boxes, truth.boxes)
    area = _area(found.boxes)
    iou = inter[:, ~crowd] / np.maximum(area[:, None] + _area(truth.boxes[~crowd]) - inter[:, ~crowd], 1e-12)
    same = found.labels[:, None] == gt_labels
    best_same = np.where(same, iou, 0).max(1, initial=0)
    best_other = np.where(same, 0, iou).max(1, initial=0)
    kinds = np.select(
        [best_same >= MATCH, best_other >= MATCH, best_same >= NEAR, best_other >= NEAR],
        [DUPLICATE, CLASS, LOCALISATION, BOTH],
        BACKGROUND,
    )
    free = np.ones(len(gt_labels), bool)
    assert found.scores is not None
    for index in np.argsort(-found.scores, kind='stable'):
        if kinds[index] != DUPLICATE:
            continue
        overlap = np.where(same[index] & free, iou[index], 0)
        if overlap.max() >= MATCH:
            free[overlap.argmax()] = False
            kinds[index] = CORRECT
    own_crowd = found.labels[:, None] == truth.labels[crowd]
    inside = (inter[:, crowd] * own_crowd / np.maximum(area[:, None], 1e-12)).max(1, initial=0) >= MATCH
    kinds[inside & (kinds != CORRECT)] = IGNORED
    return kinds


def _intersection(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Area common to each pair, `(N, M)`."""
    left_top = np.maximum(boxes[:, None, :2], others[None, :, :2])
    right_bottom = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.maximum(right_bottom - left_top, 0).prod(2)


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(1)


def split_errors(kinds: np.ndarray, scores: np.ndarray, num_objects: int, threshold: float) -> ErrorSplit:
    """Counts of the detections with at least a score, of one image or many.

    Args:
        kinds: Of `detection_kinds`, `(N,)`.
        scores: `(N,)`.
        num_objects: Objects that are no crowd.
        threshold: Least score.
    """
    numbers = np.bincount(kinds[scores >= threshold], minlength=len(KINDS))
    counts = {kind: int(number) for kind, number in zip(KINDS, numbers) if kind != 'ignored'}
    correct, given = counts['correct'], int(numbers[:IGNORED].sum())
    return ErrorSplit(
        counts={**counts, 'missed': num_objects - correct},
        precision=correct / given if given else 1.0,
        recall=correct / num_objects if num_objects else 1.0,
        f1=2 * correct / (given + num_objects) if given + num_objects else 1.0,
    )


def best_threshold(kinds: np.ndarray, scores: np.ndarray, num_objects: int) -> float:
    """The score at which F1 over all detections is highest; 0 where nothing is correct.

    Args:
        kinds, scores: `(N,)`.
        num_objects: Objects that are no crowd.
    """
    counted = kinds != IGNORED
    order = np.argsort(-scores[counted], kind='stable')
    sorted_scores = scores[counted][order]
    correct = np.cumsum(kinds[counted][order] == CORRECT)
    if not len(correct) or correct[-1] == 0:
        return 0.0
    f1 = 2 * correct / (np.arange(1, len(correct) + 1) + num_objects)
    # A threshold takes all detections of an equal score.
    is_last = np.append(sorted_scores[1:] != sorted_scores[:-1], True)
    return float(sorted_scores[np.where(is_last, f1, -1).argmax()])
