"""Kinds of errors of detections, each by hand."""

import numpy as np
import pytest

from florence.evaluation.functional.detection_errors import KINDS, ImageBoxes, best_threshold, detection_kinds, split_errors

OBJECT, OTHER = [0, 0, 10, 10], [100, 0, 110, 10]


def found(*rows):
    """Rows of (box, label, score)."""
    boxes, labels, scores = zip(*rows) if rows else ((), (), ())
    return ImageBoxes(np.array(boxes, float).reshape(-1, 4), np.array(labels, int), np.array(scores, float))


def truth(*rows):
    """Rows of (box, label) or (box, label, crowd)."""
    boxes = np.array([row[0] for row in rows], float).reshape(-1, 4)
    return ImageBoxes(boxes, np.array([row[1] for row in rows], int), crowd=np.array([len(row) > 2 for row in rows], bool))


@pytest.mark.parametrize(
    ('box', 'label', 'kind'),
    [
        (OBJECT, 0, 'correct'),
        ([0, 0, 10, 5], 0, 'correct'),  # IoU 0.5
        ([0, 0, 10, 4.9], 0, 'localisation'),
        (OBJECT, 1, 'class'),
        ([0, 0, 10, 4], 1, 'class_and_localisation'),
        ([0, 0, 10, 0.9], 0, 'background'),  # IoU 0.09
        ([50, 50, 60, 60], 0, 'background'),
    ],
)
def test_one_detection(box, label, kind):
    kinds = detection_kinds(found((box, label, 0.5)), truth((OBJECT, 0), (OTHER, 1)))
    assert [KINDS[index] for index in kinds] == [kind]


def test_the_surer_detection_takes_the_object():
    kinds = detection_kinds(found((OBJECT, 0, 0.3), ([0, 0, 10, 8], 0, 0.9)), truth((OBJECT, 0)))
    assert [KINDS[index] for index in kinds] == ['duplicate', 'correct']


def test_a_detection_may_take_the_second_best_object():
    # As in COCO, and unlike VOC: both overlap both objects by more than half.
    near = [2, 0, 12, 10]
    kinds = detection_kinds(found((OBJECT, 0, 0.9), (OBJECT, 0, 0.8)), truth((OBJECT, 0), (near, 0)))
    assert [KINDS[index] for index in kinds] == ['correct', 'correct']


def test_crowd_regions():
    region = ([0, 0, 100, 100], 0, 'crowd')
    inside = ([20, 20, 30, 30], 0, 0.9)
    kinds = detection_kinds(found(inside, ([20, 20, 30, 30], 1, 0.8), (OBJECT, 0, 0.7)), truth(region, (OBJECT, 0)))
    assert [KINDS[index] for index in kinds] == ['ignored', 'background', 'correct']
    errors = split_errors(kinds, np.array([0.9, 0.8, 0.7]), 1, 0.0)
    assert errors.precision == 0.5 and 'ignored' not in errors.counts


def test_counts_add_up_at_every_threshold():
    rng = np.random.default_rng(0)
    corners = rng.random((40, 2)) * 100
    objects = np.concatenate([corners, corners + 20], 1)
    source = rng.integers(0, 40, 90)
    labels = rng.integers(0, 3, 40)
    detected = ImageBoxes(
        objects[source] + rng.normal(0, 4, (90, 4)), np.where(rng.random(90) < 0.7, labels[source], 0), rng.random(90)
    )
    kinds = detection_kinds(detected, ImageBoxes(objects, labels))
    assert len(set(kinds)) >= 5
    best = best_threshold(kinds, detected.scores, 40)
    scores = [split_errors(kinds, detected.scores, 40, t).f1 for t in np.linspace(0, 1, 101)]
    at_best = split_errors(kinds, detected.scores, 40, best)
    assert at_best.f1 >= max(scores)
    for threshold in (0, 0.4, best):
        above = detected.scores >= threshold
        errors = split_errors(kinds, detected.scores, 40, threshold)
        assert sum(errors.counts.values()) - errors.counts['missed'] == above.sum()
        assert errors.counts['correct'] + errors.counts['missed'] == 40
        # A kind does not depend on less sure detections.
        subset = ImageBoxes(detected.boxes[above], detected.labels[above], detected.scores[above])
        np.testing.assert_array_equal(detection_kinds(subset, ImageBoxes(objects, labels)), kinds[above])


def test_nothing_to_find_and_nothing_found():
    none = detection_kinds(found(), truth())
    assert split_errors(none, np.zeros(0), 0, 0.5).f1 == 1 and best_threshold(none, np.zeros(0), 0) == 0
    missed = split_errors(detection_kinds(found(), truth((OBJECT, 0))), np.zeros(0), 1, 0.5)
    assert (missed.counts['missed'], missed.recall, missed.f1) == (1, 0, 0)
    assert detection_kinds(found((OBJECT, 0, 0.5)), truth()).tolist() == [KINDS.index('background')]


def test_equal_scores_share_a_threshold():
    kinds = np.array([KINDS.index(kind) for kind in ('correct', 'background', 'background')])
    # Cutting between equal scores is impossible: at 0.9 one of three is right.
    assert best_threshold(kinds, np.array([0.9, 0.9, 0.9]), 1) == 0.9
    assert best_threshold(kinds, np.array([0.9, 0.8, 0.8]), 1) == 0.9
