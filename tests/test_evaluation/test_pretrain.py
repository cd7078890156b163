"""Figures of a pretraining by hand."""

import pytest

from florence.registry import METRICS


def evaluate(*rows):
    metric = METRICS.build(dict(type='florence.PretrainMetric'))
    names = ('num_masked', 'num_right', 'num_right_blank', 'match_score', 'mismatch_score')
    samples = [{name: value for name, value in zip(names, row, strict=True) if value is not None} for row in rows]
    metric.process(None, samples)
    return metric.evaluate(len(rows))


def test_figures_by_hand():
    # 10 hidden tokens, 7 and 3 right; matches told: 0.9, 0.4 (wrong); mismatches: 0.2, 0.6 (wrong); the third has none.
    found = evaluate((4, 3, 1, 0.9, 0.2), (5, 4, 2, 0.4, 0.6), (1, 0, 0, 0.1, None))
    assert found == {'mlm_accuracy': 70.0, 'mlm_accuracy_blank': 30.0, 'itm_accuracy': 50.0}


def test_nothing_to_count():
    with pytest.raises(ValueError, match='raise the batch size'):
        evaluate((4, 3, 1, 0.9, None))
    with pytest.raises(KeyError, match="needs the field 'num_right_blank'.*PretrainHead"):
        evaluate((4, 3, None, 0.9, 0.2))
