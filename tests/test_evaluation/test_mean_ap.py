"""Average precision against hand-computed values and the definition written out naively."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from florence.evaluation.functional import average_precision, multi_label_ap


def naive_ap(scores, labels, mode):
    """The definition, one recall level at a time, over ranks in which equal scores put negatives first."""
    pairs = sorted(zip(scores, labels, strict=True), key=lambda pair: (-pair[0], pair[1]))
    ranked = [label for _, label in pairs]
    total = sum(ranked)
    points = []  # (true positives, precision) after each rank
    for rank in range(1, len(ranked) + 1):
        hits = sum(ranked[:rank])
        points.append((hits, hits / rank))
    if mode == '11points':
        levels = [max(p for hits, p in points if 10 * hits >= level * total) for level in range(11)]
        return 100 * sum(levels) / 11
    steps = [max(p for hits, p in points if hits >= step) for step in range(1, total + 1)]
    return 100 * sum(steps) / total


def test_by_hand():
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    positive = np.array([True, False, True, False])
    # recall 0 to 0.5: precision 1; above: 2/3
    assert average_precision(scores, positive, '11points') == pytest.approx(100 * (6 * 1 + 5 * 2 / 3) / 11)
    assert average_precision(scores, positive, 'area') == pytest.approx(100 * (1 + 2 / 3) / 2)


def test_precision_is_made_monotone():
    scores = np.array([4.0, 3.0, 2.0, 1.0])
    positive = np.array([False, True, True, True])
    # raw precisions at the hits: 1/2, 2/3, 3/4; each recall may use the best one further down
    assert average_precision(scores, positive, 'area') == pytest.approx(75.0)
    assert average_precision(scores, positive, '11points') == pytest.approx(75.0)


def test_ties_count_against_us_whatever_the_order():
    for positive in ([True, False, False], [False, False, True]):
        assert average_precision(np.zeros(3), np.array(positive), 'area') == pytest.approx(100 / 3)


def test_nan_is_ranked_last():
    scores = np.array([np.nan, 0.1, 0.2])
    assert average_precision(scores, np.array([True, False, False]), 'area') == pytest.approx(100 / 3)


def test_class_without_positives_is_nan_and_index_errors():
    values = multi_label_ap(np.array([[0.9, 0.1, 0.5], [0.2, 0.8, 0.4]]), [(0,), (0, 1)], 'area')
    assert values[0] == pytest.approx(100.0) and values[1] == pytest.approx(100.0) and np.isnan(values[2])
    with pytest.raises(ValueError, match='class index 3'):
        multi_label_ap(np.zeros((1, 3)), [(3,)])
    with pytest.raises(ValueError, match="'12points'"):
        average_precision(np.zeros(1), np.array([True]), '12points')


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=20).filter(lambda s: any(p for _, p in s)),
    st.sampled_from(['11points', 'area']),
)
def test_equals_the_definition(samples, mode):
    scores, positive = map(np.array, zip(*samples, strict=True))
    value = average_precision(scores.astype(float), positive.astype(bool), mode)
    assert value == pytest.approx(naive_ap(scores.tolist(), positive.tolist(), mode))
