"""Official VQA accuracy: golden cases of the official evaluator, and an independent formula on random questions."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from florence.evaluation import VQAAccuracy
from florence.evaluation.functional.vqa_accuracy import JudgedQuestion, question_accuracy, vqa_figures

PHRASES = [
    'two', '2', 'Two', 'a dog', 'dog', 'The dog.', 'none', '0', 'dont', "don't", 't-shirt', 't shirt', 'yes', 'Yes', ' yes\n',
    'a',
]  # fmt: skip


def brute_force(prediction: str, answers: list[str]) -> float:
    """The published rule written out: each annotator is left out in turn. The words of `PHRASES` are all it can normalise."""

    def plain(text: str) -> str:
        return re.sub(r'[\n\t]', ' ', text).strip()

    def normal(text: str) -> str:
        words = re.sub(r'\.(?!\d)', '', text.replace('-', ' ')).lower().split()
        table = {'two': '2', 'none': '0', 'dont': "don't"}
        return ' '.join(table.get(word, word) for word in words if word not in ('a', 'an', 'the'))

    truths, answer = [plain(text) for text in answers], plain(prediction)
    if any(text != truths[0] for text in truths):
        truths, answer = [normal(text) for text in truths], normal(answer)
    total = 0.0
    for left_out in range(len(truths)):
        matching = [text for place, text in enumerate(truths) if place != left_out and text == answer]
        total += min(1.0, len(matching) / 3)
    return total / len(truths)


@pytest.mark.parametrize(
    ('agreeing', 'expected'), [(0, 0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1), (5, 1), (6, 1), (7, 1), (8, 1), (9, 1), (10, 1)]
)
def test_agreeing_annotators(agreeing, expected):
    assert question_accuracy('red', ['red'] * agreeing + ['blue'] * (10 - agreeing)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ('prediction', 'answers', 'expected'),
    [
        ('2', ['two'] * 10, 0),
        ('two', ['two'] * 10, 1),
        ('Yes', ['yes'] * 10, 0),
        ('none', ['none'] * 10, 1),
        ('A', ['a'] * 5 + ['b'] * 5, 1),
        ('2', ['two'] * 9 + ['three'], 1),
        (' two\n', ['two'] * 10, 1),
        ('dont', ["don't"] * 4 + ['no'] * 6, 1),
        ('10000', ['10,000'] * 3 + ['many'] * 7, 0.9),
        ('', ['yes'] * 10, 0),
    ],
)
def test_golden_cases_of_the_official_evaluator(prediction, answers, expected):
    assert question_accuracy(prediction, answers) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(PHRASES), st.lists(st.sampled_from(PHRASES), min_size=2, max_size=12))
def test_equals_the_rule_written_out(prediction, answers):
    assert question_accuracy(prediction, answers) == pytest.approx(brute_force(prediction, answers), abs=1e-12)


def test_one_annotator_is_matched_by_normal_form():
    assert question_accuracy('in room', ['In a room.']) == 1
    assert question_accuracy('kitchen', ['In a room.']) == 0
    assert question_accuracy('A', ['a']) == 1 and question_accuracy('the', ['a']) == 0


def test_a_question_without_annotators_is_refused():
    with pytest.raises(ValueError, match='without annotators'):
        question_accuracy('yes', [])


def test_break_downs():
    questions = [JudgedQuestion(1.0, 'number', 'how many'), JudgedQuestion(0.3, 'other', 'what'), JudgedQuestion(0.5, 'other')]
    assert vqa_figures(questions) == pytest.approx(
        {
            'overall': 60.0,
            'answer_type/number': 100.0,
            'answer_type/other': 40.0,
            'question_type/how many': 100.0,
            'question_type/what': 30.0,
        }
    )


def sample(question_id, prediction, answers=('yes',) * 10, **fields):
    return dict(question_id=question_id, sample_id=str(question_id), pred_answer=prediction, answers=answers, **fields)


def evaluate(metric, samples):
    metric.process(None, samples)
    return metric.evaluate(len(samples))


def test_metric_gives_overall_and_types():
    samples = [
        sample(1, 'yes', answer_type='yes/no', question_type='is there'),
        sample(2, 'no', answer_type='yes/no', question_type='is the'),
        sample(3, '2', ('two', '2', *['three'] * 8), answer_type='number'),
    ]
    figures = evaluate(VQAAccuracy(), samples)
    assert figures == pytest.approx(
        {
            'vqa/overall': 160 / 3,
            'vqa/answer_type/number': 60.0,
            'vqa/answer_type/yes/no': 50.0,
            'vqa/question_type/is there': 100.0,
            'vqa/question_type/is the': 0.0,
        }
    )


def test_metric_refuses_a_question_twice_and_an_empty_set():
    with pytest.raises(ValueError, match='1 questions were answered more than once, e.g. question 1'):
        evaluate(VQAAccuracy(), [sample(1, 'yes'), sample(2, 'yes'), sample(1, 'no')])
    with pytest.raises(ValueError, match='saw no question'):
        VQAAccuracy().compute_metrics([])


def test_metric_names_what_is_missing():
    incomplete = sample(1, 'yes')
    del incomplete['answers']
    with pytest.raises(KeyError, match='use format_only'):
        VQAAccuracy().process(None, [incomplete])


def test_format_only_needs_no_answers_and_writes_all(tmp_path):
    with pytest.raises(ValueError, match='needs outfile'):
        VQAAccuracy(format_only=True)
    out = tmp_path / 'results' / 'answers.json'
    samples = [dict(question_id=number, pred_answer=answer) for number, answer in ((7, 'yes'), (3, 'red'))]
    assert evaluate(VQAAccuracy(format_only=True, outfile=str(out)), samples) == {}
    assert json.loads(out.read_text()) == [{'question_id': 7, 'answer': 'yes'}, {'question_id': 3, 'answer': 'red'}]
