"""Official normalisation and soft scores, against hand-worked cases and a literal rendering of the official steps."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from florence.tasks.vqa_answers import (
    ARTICLES,
    NUMBERS,
    PUNCTUATION,
    answer_key,
    clean_answer,
    leave_one_out_score,
    normalize_answer,
    soft_scores,
)
from florence.tasks.vqa_contractions import CONTRACTIONS

WORDS = ['1', '2', 'a', 'b', 'T', 'the ', 'An', 'ten ', 'none', 'dont', ' cant ', '10,000', '3.5']
PIECES = [*PUNCTUATION, '.', '. ', ' ', "'", *WORDS]
answers = st.lists(st.sampled_from(PIECES), max_size=12).map(''.join)


def literal(text: str) -> str:
    """The official steps one after the other, the regular expression as it is published, its flag passed as the count."""
    out = text
    for mark in PUNCTUATION:
        loose = mark + ' ' in text or ' ' + mark in text or re.search(r'(\d)(\,)(\d)', text) is not None
        out = out.replace(mark, '' if loose else ' ')
    out = re.compile(r'(?!<=\d)(\.)(?!\d)').sub('', out, int(re.UNICODE))
    words = []
    for word in out.lower().split():
        word = NUMBERS.get(word, word)
        if word not in ARTICLES:
            words.append(CONTRACTIONS.get(word, word))
    return ' '.join(words)


@settings(max_examples=500, deadline=None)
@given(answers)
def test_equals_the_published_steps(answer):
    answer = clean_answer(answer)
    assert normalize_answer(answer) == literal(answer)


@pytest.mark.parametrize(
    ('answer', 'expected'),
    [
        ('st. louis', 'st louis'),
        ('10,000', '10000'),
        ('t-shirt', 't shirt'),
        ('3.5', '3.5'),
        ('dont', "don't"),
        ('The Two', '2'),
        ('none', '0'),
        ('a', ''),
        ('red, white', 'red white'),
        ('red,white', 'red white'),
        ('yes!', 'yes'),
        ("somebody'd", 'somebodyd'),
        ('dogs?cats', 'dogs cats'),
    ],
)
def test_known_answers(answer, expected):
    assert normalize_answer(answer) == expected


def test_only_the_first_32_periods_go():
    assert normalize_answer('x.' * 40) == 'x' * 32 + 'x.' * 8


def test_contractions_are_the_120_published_ones():
    assert len(CONTRACTIONS) == 120
    assert CONTRACTIONS['aint'] == "ain't" and CONTRACTIONS['youve'] == "you've" and CONTRACTIONS["wouldnt've"] == "wouldn't've"


def test_an_answer_that_normalisation_empties_stays_an_answer():
    assert [answer_key(answer) for answer in ('A', 'the', ' Two\n', '?', '')] == ['a', 'the', '2', '?', '']


@pytest.mark.parametrize(('agreeing', 'score'), [(0, 0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1), (7, 1), (10, 1)])
def test_ten_annotators(agreeing, score):
    assert leave_one_out_score(agreeing, 10) == score


@given(st.integers(2, 15).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_score_is_the_mean_over_left_out_annotators(case):
    annotators, agreeing = case
    given_answers = ['x'] * agreeing + ['y'] * (annotators - agreeing)
    accuracies = [
        min(1, sum(answer == 'x' for place, answer in enumerate(given_answers) if place != left_out) / 3)
        for left_out in range(annotators)
    ]
    assert leave_one_out_score(agreeing, annotators) == pytest.approx(sum(accuracies) / annotators, abs=1e-12)


def test_one_annotator_is_right():
    assert soft_scores(['Blue.']) == {'blue': 1.0}


def test_soft_scores_count_normal_forms_in_the_order_of_the_annotators():
    scores = soft_scores(['no', 'Two', '2', 'no', 'no', 'two.', 'no', 'no', ' ', 'maybe'])
    assert list(scores.items()) == [('no', 1.0), ('2', 0.9), ('maybe', 0.3)]
