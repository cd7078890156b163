"""Average precision of boxes that come as text, by the rules of COCO.

Florence-2's answers have no confidences, and its paper does not say by what its 34.7 and 37.5 AP were ranked (arXiv 2311.06242,
table 4). Each way to score boxes is reported (`florence.tasks.florence2.box_scores`); `mAP` is that of `loc`, which Microsoft's
release computes. Classes are those of the truth, names equal but for case; boxes of other names are counted as `unknown_names`.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from florence.evaluation.functional.box_ap import evaluate_detections
from florence.evaluation.functional.box_ap_inputs import Detections, GroundTruth
from florence.evaluation.functional.coco_summary import average_precision, average_recall
from florence.evaluation.task_answers.answer import TaskAnswer

DEFAULT_MODE = 'loc'


def score_detections(answers: Sequence[TaskAnswer]) -> dict[str, float]:
    """`mAP`, `mAP_50`, `mAP_75`, percent; `mAP_MODE` and `mAP_50_MODE` of each way to score; `unknown_names`, percent."""
    names = {label.casefold() for answer in answers for label in answer.truth['labels']}
    class_of = {name: index for index, name in enumerate(sorted(names))}
    truth, found, known = _arrays(answers, class_of)
    figures = {'unknown_names': 100 * (1 - float(known.mean())) if len(known) else 0.0}
    for mode in _modes(answers):
        scores = np.array([score for answer in answers for score in answer.scores[mode]], np.float64)[known]
        result = evaluate_detections(
            truth, Detections(*found, scores), num_images=len(answers), num_classes=len(class_of), max_dets=(100,)
        )
        own = {name: 100 * average_precision(result, iou=iou) for name, iou in (('mAP', None), ('mAP_50', 0.5), ('mAP_75', 0.75))}
        figures |= {f'{name}_{mode}': value for name, value in own.items() if name != 'mAP_75'}
        if mode == DEFAULT_MODE:
            figures |= own
    return figures


def score_proposals(answers: Sequence[TaskAnswer]) -> dict[str, float]:
    """`AR@100`, percent: mean recall over thresholds of overlap from 0.5 to 0.95, whatever the label."""
    truth, found, _ = _arrays(answers, None)
    detections = Detections(*found, np.ones(len(found[0])))
    result = evaluate_detections(truth, detections, num_images=len(answers), num_classes=1, max_dets=(100,))
    return {'AR@100': 100 * average_recall(result)}


def _modes(answers: Sequence[TaskAnswer]) -> list[str]:
    return sorted(set.intersection(*(set(answer.scores) for answer in answers)))


Found = tuple[np.ndarray, np.ndarray, np.ndarray]


def _arrays(answers: Sequence[TaskAnswer], class_of: Mapping[str, int] | None) -> tuple[GroundTruth, Found, np.ndarray]:
    """Objects; images, classes and boxes `xywh` of what was found under a known name; and whether the name of each box is known.

    Args:
        answers: All of the evaluation.
        class_of: Index of each name; None: names do not count.
    """
    wanted = _flat((index, answer.truth) for index, answer in enumerate(answers))
    found = _flat((index, answer.parsed) for index, answer in enumerate(answers))
    true_classes, found_classes = (
        np.array([0 if class_of is None else class_of.get(label.casefold(), -1) for label in labels], np.int64)
        for _, labels, _ in (wanted, found)
    )
    known = found_classes >= 0
    boxes = wanted[2]
    truth = GroundTruth(wanted[0], true_classes, boxes, boxes[:, 2] * boxes[:, 3], np.zeros(len(boxes), bool))
    return truth, (found[0][known], found_classes[known], found[2][known]), known


def _flat(regions: Iterable[tuple[int, Mapping]]) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Image, label and box `xywh` of all regions."""
    rows = [(index, label, box) for index, own in regions for label, box in zip(own['labels'], own['boxes'], strict=True)]
    corners = np.array([box for _, _, box in rows], np.float64).reshape(-1, 4)
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1)
    return np.array([index for index, _, _ in rows], np.int64), [label for _, label, _ in rows], boxes
