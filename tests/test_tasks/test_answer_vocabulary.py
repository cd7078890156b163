"""Building, reading and writing a vocabulary; targets; a checkpoint's vocabulary against another."""

import json

import pytest

from florence.tasks.answer_vocabulary import AnswerVocabulary
from florence.tasks.vqa_answers import soft_scores


def test_build_keeps_frequent_answers_in_the_order_of_first_sight():
    answers = ['Yes', 'two', 'no', 'yes', '2', 'rare', 'a', 'A', 'no', '', '']
    assert AnswerVocabulary.build(answers, min_count=2).answers == ('yes', '2', 'no', 'a')
    assert AnswerVocabulary.build(answers, min_count=1).answers == ('yes', '2', 'no', 'rare', 'a')


def test_build_of_rare_answers_is_an_error():
    with pytest.raises(ValueError, match='none of the 2 answers occurs 9 times'):
        AnswerVocabulary.build(['yes', 'no'])


def test_index_takes_the_answer_as_it_stands_first():
    digits = AnswerVocabulary(['1', 'one', 'red'])
    assert (digits.index('one'), digits.index('1'), digits.index('The RED!'), digits.index('blue')) == (1, 0, 2, None)
    assert 'Red' in digits and 'blue' not in digits and len(digits) == 3


def test_index_finds_an_answer_of_the_same_normal_form():
    """Annotators' answers are counted by their normal form, so that a vocabulary in any case must be found by it."""
    vocabulary = AnswerVocabulary(['Yes', 'two', 'Two', "don't know"])
    assert [vocabulary.index(answer) for answer in ('yes', '2', 'Two', "don't know", 'dont know', '3')] == [0, 1, 2, 3, 3, None]
    assert vocabulary.targets([soft_scores(['Yes', 'yes', 'Two'])])[0].keys() == {0, 1}


def test_targets_hold_the_reachable_scores():
    vocabulary = AnswerVocabulary(['net', 'yes', 'no'])
    assert vocabulary.targets([{'net': 1.0, 'mesh': 0.3}, {'mesh': 0.3}, {'No': 0.3, 'no': 0.6}]) == [{0: 1.0}, {}, {2: 0.6}]


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('a.json', json.dumps(['yes', 'no', 'café'])),
        ('a.json', json.dumps({'no': 1, 'yes': 0, 'café': 2})),
        ('a.json', json.dumps({'2': 'café', '0': 'yes', '1': 'no'})),
        ('a.txt', 'yes\nno\ncafé\n'),
    ],
)
def test_published_forms(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding='utf-8')
    vocabulary = AnswerVocabulary.from_file(tmp_path / name)
    assert vocabulary.answers == ('yes', 'no', 'café')
    vocabulary.save(tmp_path / 'again.json')
    assert AnswerVocabulary.from_file(tmp_path / 'again.json') == vocabulary


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('["yes"', 'no answer vocabulary'),
        ('[]', 'at least one answer'),
        ('["yes", 3]', 'holds texts, got 3'),
        ('["yes", "no", "yes"]', "1 answers occur more than once in the vocabulary, e.g. 'yes'"),
        ('{"yes": 0, "no": 2}', 'must be 0 to 1'),
        ('{"yes": "no"}', 'answer -> index or index -> answer'),
        ('3', 'found int'),
    ],
)
def test_other_forms_are_refused(tmp_path, content, message):
    (tmp_path / 'a.json').write_text(content)
    with pytest.raises(ValueError, match=message):
        AnswerVocabulary.from_file(tmp_path / 'a.json')


def test_text_files(tmp_path):
    (tmp_path / 'a.txt').write_text('yes\r\nno\r\n', encoding='utf-8-sig')
    assert AnswerVocabulary.from_file(tmp_path / 'a.txt').answers == ('yes', 'no')
    (tmp_path / 'a.txt').write_text('yes\n\nno\n')
    with pytest.raises(ValueError, match='line 2 is empty'):
        AnswerVocabulary.from_file(tmp_path / 'a.txt')
    (tmp_path / 'a.json').write_bytes(b'["caf\xe9"]')
    with pytest.raises(ValueError, match='a.json holds no answer vocabulary: .*decode'):
        AnswerVocabulary.from_file(tmp_path / 'a.json')


def test_missing_file_names_the_tool(tmp_path):
    with pytest.raises(FileNotFoundError, match='build_answer_vocabulary'):
        AnswerVocabulary.from_file(tmp_path / 'a.json')


def test_state_round_trip_and_damage():
    vocabulary = AnswerVocabulary(['yes', 'no'])
    state = json.loads(json.dumps(vocabulary.state()))
    assert AnswerVocabulary.from_state(state) == vocabulary
    with pytest.raises(ValueError, match='damaged'):
        AnswerVocabulary.from_state({**state, 'answers': ['no', 'yes']})


def test_fingerprint_tells_orders_apart_and_is_the_same_everywhere():
    assert AnswerVocabulary(['yes', 'no']).fingerprint != AnswerVocabulary(['no', 'yes']).fingerprint
    assert AnswerVocabulary(['yes', 'no']).fingerprint == 1498461583237641130


def test_another_vocabulary_is_named():
    ours = AnswerVocabulary(['yes', 'no'])
    ours.require_same(AnswerVocabulary(['yes', 'no']), 'the checkpoint')
    with pytest.raises(ValueError, match="2 answers here, 2 in the checkpoint; answer 0 is 'yes' here, 'no' there"):
        ours.require_same(AnswerVocabulary(['no', 'yes']), 'the checkpoint')
    with pytest.raises(ValueError, match="answer 2 is nothing here, 'red' there"):
        ours.require_same(AnswerVocabulary(['yes', 'no', 'red']), 'the checkpoint')


def test_real_vocabulary(test_data):
    assert len(AnswerVocabulary.from_file(test_data / 'vqa_easy' / 'answers.txt')) == 13
