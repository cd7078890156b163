"""Visual Genome's AP: hand-computed cases, and equality with a slow reference that walks through classes and detections."""

import numpy as np
import pytest

from florence.evaluation.functional.voc_ap import FlatBoxes, voc_detection_ap
from florence.evaluation.functional.voc_ap_attributes import select_attributes


def flat(*rows):
    """Rows of (image, class, box) or (image, class, box, score)."""
    score = np.array([row[3] for row in rows]) if rows and len(rows[0]) == 4 else None
    boxes = np.array([row[2] for row in rows], float).reshape(-1, 4)
    return FlatBoxes(np.array([row[0] for row in rows], int), boxes, np.array([row[1] for row in rows], int), score)


def test_hand_computed_curve():
    truth = flat((0, 0, (0, 0, 9, 9)), (1, 0, (0, 0, 9, 9)))
    # Right, wrong, right: precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1; monotone: 1 up to 1/2, then 2/3.
    found = flat((0, 0, (0, 0, 9, 9), 0.9), (1, 0, (50, 50, 59, 59), 0.8), (1, 0, (0, 0, 9, 9), 0.7))
    result = voc_detection_ap(found, truth, 1)
    assert result.ap == pytest.approx([0.5 * 1 + 0.5 * 2 / 3])
    assert result.mean == result.ap[0] == result.weighted_mean == result.mean_of_present


def test_sides_are_one_pixel_longer_and_the_threshold_is_exceeded():
    truth = flat((0, 0, (0, 0, 9, 9)))
    # 10 x 10 against 10 x 5 pixels: IoU 0.5 exactly, which is not above 0.5; without the pixel it would be 4/9.
    assert voc_detection_ap(flat((0, 0, (0, 0, 9, 4), 1.0)), truth, 1).mean == 0
    assert voc_detection_ap(flat((0, 0, (0, 0, 9, 5), 1.0)), truth, 1).mean == 1
    # 10 x 6 of 10 x 10 pixels is 0.6; with plain differences it would be 5/9 = 0.556.
    assert voc_detection_ap(flat((0, 0, (0, 0, 9, 5), 1.0)), truth, 1, iou_threshold=0.59).mean == 1


def test_a_taken_box_leaves_nothing_to_the_second_detection():
    # Both detections overlap the first box most; the second one would also match the other box.
    truth = flat((0, 0, (0, 0, 19, 9)), (0, 0, (4, 0, 23, 9)))
    found = flat((0, 0, (0, 0, 19, 9), 0.9), (0, 0, (1, 0, 20, 9), 0.8))
    assert voc_detection_ap(found, truth, 1).ap == pytest.approx([0.5])


def test_means():
    # Class 0: found; class 1: missed, three boxes; class 2: no ground truth, one false detection.
    truth = flat((0, 0, (0, 0, 9, 9)), *[(image, 1, (0, 0, 9, 9)) for image in range(3)])
    found = flat((0, 0, (0, 0, 9, 9), 0.9), (0, 2, (0, 0, 9, 9), 0.9))
    result = voc_detection_ap(found, truth, 3)
    assert (result.ap.tolist(), result.num_gt.tolist()) == ([1, 0, 0], [1, 3, 0])
    assert (result.mean, result.weighted_mean, result.mean_of_present) == (pytest.approx(1 / 3), 0.25, 0.5)


def slow_iou(box, other):
    width = max(min(box[2], other[2]) - max(box[0], other[0]) + 1, 0)
    height = max(min(box[3], other[3]) - max(box[1], other[1]) + 1, 0)
    areas = [(b[2] - b[0] + 1) * (b[3] - b[1] + 1) for b in (box, other)]
    return width * height / (areas[0] + areas[1] - width * height)


def slow_ap(predictions, truth, label):
    mine = [i for i in range(len(predictions.label)) if predictions.label[i] == label]
    targets = [i for i in range(len(truth.label)) if truth.label[i] == label]
    hits, taken = [], set()
    for i in sorted(mine, key=lambda i: -predictions.score[i]):
        same_image = [j for j in targets if truth.image[j] == predictions.image[i]]
        best = max(same_image, key=lambda j: slow_iou(predictions.boxes[i], truth.boxes[j]), default=None)
        hit = best is not None and best not in taken and slow_iou(predictions.boxes[i], truth.boxes[best]) > 0.5
        taken |= {best} if hit else set()
        hits.append(hit)
    points = [(sum(hits[: n + 1]) / len(targets), sum(hits[: n + 1]) / (n + 1)) for n in range(len(hits))] if targets else []
    ap, reached = 0.0, 0.0
    for recall in sorted({recall for recall, _ in points}):
        ap += (recall - reached) * max(precision for other, precision in points if other >= recall)
        reached = recall
    return ap


@pytest.mark.parametrize('seed', range(8))
def test_equals_the_slow_reference(seed, monkeypatch):
    monkeypatch.setattr('florence.evaluation.functional.voc_ap.PAIRS_AT_ONCE', 50)
    rng = np.random.default_rng(seed)
    num_classes, num_gt, num_pred = 4, 40, 150
    corners = rng.integers(0, 40, (num_gt, 2))
    boxes = np.concatenate([corners, corners + rng.integers(0, 25, (num_gt, 2))], 1)
    truth = FlatBoxes(rng.integers(0, 6, num_gt), boxes, rng.integers(0, num_classes - 1, num_gt))
    source = rng.integers(0, num_gt, num_pred)
    shifted = boxes[source] + rng.integers(-3, 4, (num_pred, 1))
    labels = np.where(rng.random(num_pred) < 0.7, truth.label[source], rng.integers(0, num_classes, num_pred))
    predictions = FlatBoxes(truth.image[source], shifted, labels, rng.permutation(num_pred) / num_pred)
    expected = [slow_ap(predictions, truth, label) for label in range(num_classes)]
    assert sum(expected) > 0
    np.testing.assert_allclose(voc_detection_ap(predictions, truth, num_classes).ap, expected, rtol=1e-12)


def test_faults_are_named():
    box = (0, 0, 9, 9)
    with pytest.raises(ValueError, match='no ground-truth box'):
        voc_detection_ap(flat((0, 0, box, 0.5)), flat(), 1)
    with pytest.raises(ValueError, match='a prediction has class index 2, expected 0 to 1'):
        voc_detection_ap(flat((0, 2, box, 0.5)), flat((0, 0, box)), 2)
    with pytest.raises(ValueError, match='predicted score is not finite'):
        voc_detection_ap(flat((0, 0, box, np.nan)), flat((0, 0, box)), 1)


def test_attributes_above_the_threshold_and_the_best_of_each_box():
    scores = np.array([[0.05, 0.06, 0.5, 0.0], [0.9, 0.3, 0.2, 0.1]], np.float32)
    box, attribute = select_attributes(scores, threshold=0.05, max_per_box=3)
    assert list(zip(box, attribute)) == [(0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]


def test_the_limit_of_an_image_counts_the_zeros():
    # 12 scores above the threshold, 4 boxes, limit 5: the rank 12 - 5 - 4 = 3 of all scores, the lowest three go.
    scores = np.linspace(0.1, 0.9, 12).reshape(4, 3)
    box, _ = select_attributes(scores, max_per_image=5)
    assert box.tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert len(select_attributes(scores, max_per_image=8)[0]) == 12
