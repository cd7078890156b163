"""Accuracy and consistency of judged sentences."""

import json

import pytest

from florence.evaluation import LabelAccuracy


def sample(name, predicted, truth, sentence=None):
    fields = dict(sample_id=name, pred_label=predicted, gt_label=truth)
    return fields if sentence is None else {**fields, 'question_id': sentence}


def evaluate(metric, samples):
    metric.process(None, samples)
    return metric.evaluate(len(samples))


def test_accuracy():
    samples = [sample('a', 2, 2), sample('b', 0, 1), sample('c', 1, 1)]
    assert evaluate(LabelAccuracy(), samples) == {'accuracy': pytest.approx(200 / 3)}


def test_consistency_counts_sentences_that_are_right_everywhere():
    judged = [(1, 1, 'x'), (0, 0, 'x'), (1, 1, 'y'), (1, 0, 'y'), (0, 0, 'z')]
    samples = [sample(str(number), *fields) for number, fields in enumerate(judged)]
    figures = evaluate(LabelAccuracy(consistency=True), samples)
    assert figures == pytest.approx({'accuracy': 80, 'consistency': 200 / 3})


def test_consistency_needs_to_know_the_sentence():
    with pytest.raises(KeyError, match="'question_id'"):
        LabelAccuracy(consistency=True).process(None, [sample('a', 1, 1)])


def test_a_sample_twice_and_an_empty_set_are_refused():
    with pytest.raises(ValueError, match="'a' was judged twice"):
        evaluate(LabelAccuracy(), [sample('a', 1, 1), sample('a', 1, 1)])
    with pytest.raises(ValueError, match='saw no sample'):
        LabelAccuracy().compute_metrics([])


def test_labels_are_written(tmp_path):
    out = tmp_path / 'labels.json'
    unlabelled = [dict(sample_id='a', pred_label=1), dict(sample_id='b', pred_label=0)]
    assert evaluate(LabelAccuracy(format_only=True, outfile=str(out)), unlabelled) == {}
    assert json.loads(out.read_text()) == [{'label': 1, 'sample_id': 'a'}, {'label': 0, 'sample_id': 'b'}]
    with pytest.raises(ValueError, match='needs outfile'):
        LabelAccuracy(format_only=True)
    with pytest.raises(KeyError, match="'gt_label'"):
        LabelAccuracy().process(None, unlabelled)
