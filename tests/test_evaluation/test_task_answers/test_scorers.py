"""Figures of answers, on cases whose figures are known."""

import random
from statistics import mean

import numpy as np
import pytest

from florence.evaluation.functional.anls import edit_distance
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


def test_accuracy_of_ten_annotators_is_the_mean_over_leaving_each_out():
    rng = random.Random(0)
    cases = [([rng.choice('abc') for _ in range(10)], rng.choice('abcd')) for _ in range(50)]
    wanted = [
        mean(min(1, sum(other == text for j, other in enumerate(given) if j != i) / 3) for i in range(10))
        for given, text in cases
    ]
    # "a" is an article, which the official rule takes away.
    cases = [([f'{answer}x' for answer in given], f'{text}x') for given, text in cases]
    found = get_scorer('vqa')([answer({'text': text}, references=given) for given, text in cases])
    assert found['accuracy'] == pytest.approx(100 * mean(wanted))


def longest_way(first, second):
    """Edit distance by its definition."""
    if not first or not second:
        return len(first) + len(second)
    ways = longest_way(first[1:], second), longest_way(first, second[1:]), longest_way(first[1:], second[1:])
    return min(ways[0] + 1, ways[1] + 1, ways[2] + (first[0] != second[0]))


def test_answers_about_documents_count_by_how_near_they_come():
    rng = random.Random(0)
    texts = [''.join(rng.choice('abc') for _ in range(rng.randrange(6))) for _ in range(60)]
    for first, second in zip(texts[::2], texts[1::2]):
        assert edit_distance(first, second) == longest_way(first, second)
    cases = [
        ('Total  $12', ('total $12',), 1.0),  # case and white space
        ('$12.50', ('12.50', '$ 12,5'), 1 - 1 / 6),  # the nearest answer
        ('abcd', ('abxy',), 0.5),
        ('abcd', ('axyz',), 0.0),  # less than half right
        ('', ('yes',), 0.0),
    ]
    for text, references, worth in cases:
        assert get_scorer('vqa')([answer({'text': text}, references=references)])['ANLS'] == pytest.approx(100 * worth)
    figures = get_scorer('vqa')([answer({'text': text}, references=references) for text, references, _ in cases])
    assert figures['ANLS'] == pytest.approx(100 * mean(worth for *_, worth in cases))


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
    assert get_scorer('grounding')([answer(hit, truth)])['R@1'] == 50
    assert get_scorer('grounding')([answer(late, truth)])['R@1'] == 50


def test_grounding_by_the_boxes_around_all():
    truth = {'labels': ['dogs', 'dogs', 'a cat'], 'boxes': [SQUARE, FAR, FAR]}
    around = {'labels': ['dogs', 'a cat'], 'boxes': [[0, 0, 80, 80], SQUARE]}
    assert get_scorer('grounding')([answer(around, truth)]) == {'R@1': 0, 'R@1_merged': 50}
    parts = {'labels': ['dogs', 'dogs', 'a cat'], 'boxes': [FAR, SQUARE, FAR]}
    assert get_scorer('grounding')([answer(parts, truth)]) == {'R@1': 100, 'R@1_merged': 100}


def test_referring_accuracy_is_that_of_the_first_box_whatever_its_label():
    truth = {'labels': ['man in red'], 'boxes': [SQUARE]}
    found = [
        {'labels': ['man', 'man in red'], 'boxes': [HALF, FAR]},  # an overlap of one half counts
        {'labels': ['red', 'man in red'], 'boxes': [FAR, SQUARE]},
        {'labels': [], 'boxes': []},
        {'labels': ['man in red'], 'boxes': [SQUARE]},
    ]
    figures = get_scorer('grounding')([answer(one, truth) for one in found])
    assert figures['accuracy@0.5'] == 50 and figures['R@1'] == 50
    two = {'labels': ['men', 'men'], 'boxes': [SQUARE, FAR]}
    assert 'accuracy@0.5' not in get_scorer('grounding')([answer(found[0], truth), answer(two, two)])


def test_masks_by_prompt_and_together():
    def polygon(x1, y1, x2, y2):
        return [[x1, y1, x2, y1, x2, y2, x1, y2]]

    whole = answer({'polygons': [polygon(*SQUARE)]}, {'polygons': [polygon(*SQUARE)]})
    half = answer({'polygons': [polygon(*HALF)]}, {'polygons': [polygon(*SQUARE)]})
    none = answer({'polygons': []}, {'polygons': [polygon(*SQUARE)]})
    figures = get_scorer('masks')([whole, half, none])
    assert figures['mIoU'] == pytest.approx(50, abs=1) and figures['oIoU'] == pytest.approx(50, abs=1)


def test_masks_equal_counting_of_pixels():
    """Boxes with whole corners cover the same pixels as polygons."""
    rng = np.random.default_rng(0)
    answers, shares, shared, joined = [], [], 0, 0
    for _ in range(20):
        masks, regions = [], []
        for _ in range(2):
            corners = [np.sort(rng.choice(100, 4, replace=False)).reshape(2, 2).tolist() for _ in range(rng.integers(0, 4))]
            pixels = np.zeros((100, 100), bool)
            for (x1, x2), (y1, y2) in corners:
                pixels[y1:y2, x1:x2] = True
            masks.append(pixels)
            regions.append({'polygons': [[[x1, y1, x2, y1, x2, y2, x1, y2]] for (x1, x2), (y1, y2) in corners]})
        answers.append(answer(*regions))
        both, either = (masks[0] & masks[1]).sum(), (masks[0] | masks[1]).sum()
        shares.append(both / either if either else 0)
        shared, joined = shared + both, joined + either
    figures = get_scorer('masks')(answers)
    assert figures == {'mIoU': pytest.approx(100 * mean(shares)), 'oIoU': pytest.approx(100 * shared / joined)}
    assert abs(figures['mIoU'] - figures['oIoU']) > 1


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
