"""Answers to VQAv2: order, missing, unknown and repeated questions, names, the local score."""

import json

import pytest

from florence.evaluation.leaderboards.vqa_submission import (
    check_answers,
    merge_answers,
    read_answers,
    read_question_ids,
    score_answers,
    submission_answers,
    write_answers,
    write_submission,
)

IDS = [30, 10, 20]


def answers(**by_id):
    return [{'question_id': int(number[1:]), 'answer': answer} for number, answer in by_id.items()]


def test_order_is_that_of_the_question_file():
    assert submission_answers(answers(q10='a', q20='b', q30='c'), IDS) == answers(q30='c', q10='a', q20='b')


def test_every_kind_of_problem_is_named():
    problems = check_answers([*answers(q10='a', q99='b'), *answers(q10='c')], IDS)
    assert problems == [
        '1 questions are answered that the test file does not have: is it of the same split (99).',
        '1 questions are answered more than once (10).',
        '2 questions of 3 are not answered (30, 20).',
    ]
    assert check_answers(answers(q10='a', q20='b', q30=''), IDS) == []


def test_many_missing_questions_are_counted_with_examples():
    with pytest.raises(ValueError, match=r'1000 questions of 1000 are not answered \(0, 1, 2, \.\.\.\)'):
        submission_answers([], range(1000))


def test_fill_missing_and_take_part():
    assert submission_answers(answers(q10='a'), IDS, fill_missing=True) == answers(q30='', q10='a', q20='')
    more = answers(q10='a', q20='b', q30='c', q40='d')
    assert submission_answers(more, IDS, take_part=True) == answers(q30='c', q10='a', q20='b')
    with pytest.raises(ValueError, match='same split'):
        submission_answers(more, IDS)
    with pytest.raises(ValueError, match='more than once'):
        submission_answers([*more, *answers(q10='x')], IDS, take_part=True, fill_missing=True)


def test_shards(tmp_path):
    (tmp_path / 'a.json').write_text(json.dumps(answers(q1='x', q2='y')))
    (tmp_path / 'b.json').write_text(json.dumps(answers(q2='y', q3='z')))
    assert merge_answers([tmp_path / 'a.json', tmp_path / 'b.json']) == (answers(q1='x', q2='y', q3='z'), 1)
    (tmp_path / 'b.json').write_text(json.dumps(answers(q2='other')))
    with pytest.raises(ValueError, match="answers question 2 by 'other', an earlier file by 'y'"):
        merge_answers([tmp_path / 'a.json', tmp_path / 'b.json'])
    (tmp_path / 'b.json').write_text(json.dumps([*answers(q2='y'), *answers(q2='y')]))
    with pytest.raises(ValueError, match='1 questions more than once'):
        merge_answers([tmp_path / 'b.json'])


@pytest.mark.parametrize(
    ('dataset', 'content', 'ids', 'key'),
    [
        ('textvqa', {'dataset_type': 'test', 'data': [{'question_id': 5}, {'question_id': 3}]}, [5, 3], 'question_id'),
        ('vizwiz', [{'image': 'a.jpg', 'question': '?'}, {'image': 'b.jpg'}], ['a.jpg', 'b.jpg'], 'image'),
        ('docvqa', {'dataset_split': 'test', 'data': [{'questionId': 49153}]}, [49153], 'questionId'),
    ],
)
def test_other_servers_have_fields_of_their_own(tmp_path, dataset, content, ids, key):
    (tmp_path / 'q.json').write_text(json.dumps(content))
    assert read_question_ids(tmp_path / 'q.json', dataset) == ids
    given = [{'image': str(number), 'question_id': number, 'task': '<VQA>', 'answer': f'of {number}'} for number in reversed(ids)]
    (tmp_path / 'a.json').write_text(json.dumps(given))
    answers, _ = merge_answers([tmp_path / 'a.json'], dataset)
    path = write_answers(tmp_path, dataset, 'florence2', submission_answers(answers, ids))
    assert path.name == f'{dataset}_florence2_results.json'
    assert json.loads(path.read_text()) == [{key: number, 'answer': f'of {number}'} for number in ids]
    assert read_answers(path, dataset) == submission_answers(answers, ids)


def test_files_of_questions_of_another_set_are_refused(tmp_path):
    (tmp_path / 'q.json').write_text('{"questions": []}')
    with pytest.raises(KeyError, match="q.json has no field 'data', found questions"):
        read_question_ids(tmp_path / 'q.json', 'textvqa')
    with pytest.raises(ValueError, match='must hold a list of questions, it holds dict'):
        read_question_ids(tmp_path / 'q.json', 'vizwiz')
    with pytest.raises(FileNotFoundError, match='no file of questions .*r.json'):
        read_question_ids(tmp_path / 'r.json', 'docvqa')
    (tmp_path / 'a.json').write_text('[{"question_id": 3, "answer": "x"}]')
    with pytest.raises(ValueError, match='entry 0 must have image, a text'):
        read_answers(tmp_path / 'a.json', 'vizwiz')


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{"a": 1}', 'holds dict, expected a list'),
        ('[{"question_id": "7", "answer": "x"}]', 'entry 0 must have question_id, a whole number'),
        ('[{"question_id": 7, "answer": 2}]', 'entry 0 must have'),
        ('[{"question_id": true, "answer": "x"}]', 'entry 0 must have'),
        ('[3]', 'entry 0 must have'),
        ('[', 'not valid JSON'),
    ],
)
def test_other_forms_are_refused(tmp_path, content, message):
    (tmp_path / 'a.json').write_text(content)
    with pytest.raises(ValueError, match=message):
        read_answers(tmp_path / 'a.json')


def test_name_of_the_file(tmp_path):
    path = write_submission(tmp_path / 'out', 'test-dev2015', 'meter', answers(q1='x'))
    assert path.name == 'vqa_OpenEnded_mscoco_test-dev2015_meter_results.json'
    assert read_answers(path) == answers(q1='x')
    with pytest.raises(ValueError, match='letters, digits'):
        write_submission(tmp_path, 'test-dev2015', 'my_meter', [])


def test_local_score():
    def annotation(number, given, kind):
        return {'question_id': number, 'answers': [{'answer': answer} for answer in given], 'answer_type': kind}

    annotations = [annotation(1, ['yes'] * 10, 'yes/no'), annotation(2, ['red'] * 2 + ['blue'] * 8, 'other')]
    assert score_answers(answers(q1='yes', q2='red'), annotations) == pytest.approx(
        {'overall': 80.0, 'answer_type/other': 60.0, 'answer_type/yes/no': 100.0}
    )
    with pytest.raises(ValueError, match='1 questions of 2 are not answered'):
        score_answers(answers(q1='yes'), annotations)
