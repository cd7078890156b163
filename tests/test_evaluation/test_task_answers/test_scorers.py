"""Figures of answers, on cases whose figures are known."""

import numpy as np
import pytest

from florence.evaluation.task_answers import TaskAnswer, get_scorer, register_scorer
from florence.evaluation.task_answers.places import box_overlap

SIZE = (100, 100)
SQUARE, HALF, FAR = [0, 0, 20, 20], [0, 0, 20, 10], [60, 60, 80, 80]


def answer(parsed, truth=None, references=(), **scores):
    return TaskAnswer('a.png', SIZE, '', parsed, references, truth or {}, scores)


def boxes(**labelled):
    pairs = [(label, box) for label, own in labelled.items() for box in own]
    return {'labels': [label for label, _ in pairs], 'boxes': [box for _, box in pairs]}


def test_texts_are_right_whatever_their_case_and_white_space():
    answers = [
        answer({'text': 'Two  dogs'}, references=('two dogs',)),
        answer({'text': 'cat'}, references=('dog', 'cat')),
        answer({'text': 'do g'}, references=('dog',)),
        answer({'text': ''}, references=('dog',)),
    ]
    assert get_scorer('text')(answers) == {'exact': 50}


def test_captions_have_the_official_figures_and_the_share_of_right_ones():
    right = answer({'text': 'a red seven above a blue two'}, references=('a red seven above a blue two',))
    wrong = answer({'text': 'a green nine'}, references=('a white one on a black ground',))
    figures = get_scorer('caption')([right, wrong])
    assert figures['exact'] == 50
    assert figures['Bleu_1'] < 100 and get_scorer('caption')([right, right])['Bleu_4'] == pytest.approx(100)


def test_questions_follow_the_rule_of_vqa():
    answers = [answer({'text': 'two'}, references=('2',) * 10), answer({'text': 'red'}, references=('red',) * 2 + ('blue',) * 8)]
    assert get_scorer('vqa')(answers)['accuracy'] == pytest.approx((0 + 60) / 2)


def test_detection_ranks_by_each_score_and_reports_unknown_names():
    truth = boxes(dog=[SQUARE])
    found = boxes(Dog=[FAR, SQUARE], cow=[SQUARE])
    figures = get_scorer('detection')([answer(found, truth, loc=[0.2, 0.9, 0.5], const=[1.0, 1.0, 1.0])])
    assert figures['mAP'] == figures['mAP_loc'] == pytest.approx(100)
    assert figures['mAP_const'] == pytest.approx(50), 'of equal scores the first box comes first'
    assert figures['unknown_names'] == pytest.approx(100 / 3)


def test_detection_of_an_image_without_an_answer():
    truth = boxes(dog=[SQUARE])
    nothing = answer({'labels': [], 'boxes': []}, truth, loc=[])
    whole = answer(truth, truth, loc=[0.5])
    assert get_scorer('detection')([nothing, whole])['mAP_50'] == pytest.approx(50, abs=1)


def test_proposals_need_no_name():
    found = {'labels': [''], 'boxes': [SQUARE]}
    assert get_scorer('proposals')([answer(found, boxes(dog=[SQUARE], cat=[FAR]))]) == {'AR@100': pytest.approx(50)}


def test_grounding_takes_the_first_box_of_a_phrase():
    truth = {'labels': ['a dog', 'a dog', 'a cat'], 'boxes': [SQUARE, FAR, FAR]}
    hit = {'labels': ['A dog', 'A dog'], 'boxes': [FAR, [0, 0, 1, 1]]}
    late = {'labels': ['a dog', 'a dog', 'a cat'], 'boxes': [[0, 0, 1, 1], SQUARE, [60, 60, 80, 71]]}
    assert get_scorer('grounding')([answer(hit, truth)]) == {'R@1': 50}
    assert get_scorer('grounding')([answer(late, truth)]) == {'R@1': 50}


def test_masks_by_prompt_and_together():
    def polygon(x1, y1, x2, y2):
        return [[x1, y1, x2, y1, x2, y2, x1, y2]]

    whole = answer({'polygons': [polygon(*SQUARE)]}, {'polygons': [polygon(*SQUARE)]})
    half = answer({'polygons': [polygon(*HALF)]}, {'polygons': [polygon(*SQUARE)]})
    none = answer({'polygons': []}, {'polygons': [polygon(*SQUARE)]})
    figures = get_scorer('masks')([whole, half, none])
    assert figures['mIoU'] == pytest.approx(50, abs=1) and figures['oIoU'] == pytest.approx(50, abs=1)


def test_reading_needs_text_and_place():
    quad, away = [0, 0, 20, 0, 20, 10, 0, 10], [50, 50, 70, 50, 70, 60, 50, 60]
    truth = {'labels': ['7', '7', '4'], 'quads': [quad, away, quad]}
    found = {'labels': ['7', '7', '7', '9'], 'quads': [quad, quad, away, quad]}
    figures = get_scorer('ocr')([answer(found, truth)])
    assert figures == {'precision': 50, 'recall': pytest.approx(200 / 3), 'F1': pytest.approx(400 / 7)}


def test_overlap_of_boxes_without_area_is_nothing():
    assert box_overlap([1, 1, 1, 1], [1, 1, 1, 1]) == 0 and box_overlap(SQUARE, HALF) == 0.5
    assert box_overlap(SQUARE, FAR) == 0


def test_scorers_of_a_user():
    def count(answers):
        return {'count': float(np.sum([len(answer.parsed['text']) for answer in answers]))}

    register_scorer('length', count)
    register_scorer('length', count)
    assert get_scorer('length')([answer({'text': 'four'})]) == {'count': 4}
    with pytest.raises(ValueError, match="a scorer 'vqa' already"):
        register_scorer('vqa', count)
    with pytest.raises(KeyError, match="no scorer 'bleu'; known: caption, text"):
        get_scorer('bleu')
