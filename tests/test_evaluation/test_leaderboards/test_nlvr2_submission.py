"""NLVR2's CSV and its scores, against a hand count and the published way of grouping sentences."""

import json

import pytest

from florence.evaluation.leaderboards.nlvr2_submission import (
    check_predictions,
    read_labels,
    read_nlvr2,
    read_predictions_csv,
    score_predictions,
    write_predictions_csv,
)


def example(identifier, label):
    return {'identifier': identifier, 'label': label, 'sentence': 's'}


LABELS = {'dev-1-0-0': 'True', 'dev-1-1-0': 'False', 'dev-1-0-1': 'True', 'dev-2-0-0': 'False'}
EXAMPLES = [example(*item) for item in LABELS.items()]


def test_csv_round_trip_in_the_order_of_the_file(tmp_path):
    (tmp_path / 'labels.json').write_text(
        json.dumps([{'sample_id': row['identifier'], 'label': int(row['label'] == 'True')} for row in reversed(EXAMPLES)])
    )
    path = tmp_path / 'out' / 'predictions.csv'
    write_predictions_csv(path, read_labels(tmp_path / 'labels.json'), [row['identifier'] for row in EXAMPLES])
    assert path.read_text() == 'dev-1-0-0,True\ndev-1-1-0,False\ndev-1-0-1,True\ndev-2-0-0,False\n'
    predictions = read_predictions_csv(path)
    assert check_predictions(predictions, EXAMPLES) == []
    assert score_predictions(predictions, EXAMPLES) == {'accuracy': 100.0, 'consistency': 100.0}


def test_consistency_groups_the_pairs_of_a_sentence():
    predictions = [('dev-1-0-0', 'True'), ('dev-1-1-0', 'True'), ('dev-1-0-1', 'True'), ('dev-2-0-0', 'False')]
    assert score_predictions(predictions, EXAMPLES) == {'accuracy': 75.0, 'consistency': pytest.approx(200 / 3)}


def test_coverage_is_checked(tmp_path):
    problems = check_predictions([('dev-1-0-0', 'True'), ('dev-1-0-0', 'True'), ('dev-9-0-0', 'True')], EXAMPLES)
    assert [problem.split()[0] for problem in problems] == ['1', '1', '3'] and len(problems) == 3
    with pytest.raises(ValueError, match='3 examples of 4 are not answered'):
        write_predictions_csv(tmp_path / 'a.csv', {'dev-1-0-0': 1}, [row['identifier'] for row in EXAMPLES])
    assert not (tmp_path / 'a.csv').exists()
    with pytest.raises(KeyError, match="no field 'label'"):
        score_predictions([('dev-1-0-0', 'True')], [{'identifier': 'dev-1-0-0'}])


@pytest.mark.parametrize('line', ['dev-1-0-0,yes', 'dev-1-0-0', 'identifier,prediction'])
def test_lines_of_another_form(tmp_path, line):
    (tmp_path / 'a.csv').write_text(line + '\n')
    with pytest.raises(ValueError, match='line 1 must be identifier,True or identifier,False'):
        read_predictions_csv(tmp_path / 'a.csv')


@pytest.mark.parametrize(
    ('content', 'error', 'message'),
    [
        ('{}', ValueError, 'list of objects'),
        ('[{"sample_id": "a"}]', KeyError, "no field 'label'"),
        ('[{"sample_id": "a", "label": 2}]', ValueError, 'entry 0'),
        ('[{"sample_id": "a", "label": 1}, {"sample_id": "a", "label": 1}]', ValueError, 'entry 1'),
    ],
)
def test_labels_of_another_form(tmp_path, content, error, message):
    (tmp_path / 'a.json').write_text(content)
    with pytest.raises(error, match=message):
        read_labels(tmp_path / 'a.json')


def test_real_file(test_data):
    examples = read_nlvr2(test_data / 'vqa_format_fixtures/nlvr2/tiny-dev.json')
    assert len(examples) == 8
    always_true = [(row['identifier'], 'True') for row in examples]
    assert score_predictions(always_true, examples) == {'accuracy': 50.0, 'consistency': 0.0}


@pytest.mark.parametrize(
    ('line', 'message'), [('{"identifier": "dev-1-0"}', "not 'dev-1-0'"), ('3', 'line 1 must hold an object, it holds int')]
)
def test_examples_of_another_form(tmp_path, line, message):
    (tmp_path / 'dev.json').write_text(line + '\n')
    with pytest.raises(ValueError, match=message):
        read_nlvr2(tmp_path / 'dev.json')


def test_a_test_file_with_an_example_twice_is_no_measure():
    predictions = list(LABELS.items())
    with pytest.raises(ValueError, match='1 examples stand more than once in the test file'):
        score_predictions(predictions, [*EXAMPLES, EXAMPLES[0]])
