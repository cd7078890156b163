"""Questions about digit scenes: answers derived once more from the scene, no answer that the question gives away, splits."""

import re
from collections import Counter, defaultdict

import numpy as np
import pytest

from florence.datasets.digit_scenes import DigitSceneVQA
from florence.datasets.digit_scenes.questions import ANSWERS, QUESTION_TYPES, answer_type
from florence.datasets.digit_scenes.scans import digit_scans

RECIPE = dict(image_size=32, num_objects_probs=(0.25, 0.3, 0.25, 0.2))
DIGITS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']
COLORS = ['red', 'orange', 'yellow', 'green', 'cyan', 'blue', 'purple', 'white']


def answer_by_brute_force(question, scene):
    """Every answer that some reading of the question allows; written without a look at the makers of questions."""
    things = [(DIGITS[item.digit], item.color, *item.center, item.side) for item in scene.objects]
    if question == 'how many digits are there?':
        return {str(len(things))}
    if question == 'what color is the ground?':
        return {scene.ground}
    if found := re.fullmatch('what color is the (\\w+)\\?', question):
        return {color for digit, color, *_ in things if digit == found[1]}
    if found := re.fullmatch('which digit is (\\w+)\\?', question):
        return {digit for digit, color, *_ in things if color == found[1]}
    if found := re.fullmatch('is there an? (\\w+)( digit)?\\?', question):
        assert found[1] in (COLORS if found[2] else DIGITS)
        return {'yes' if any(found[1] in thing[:2] for thing in things) else 'no'}
    found = re.fullmatch('is the (\\w+) (left of|right of|above|below|larger than|smaller than) the (\\w+)\\?', question)
    assert found, question
    answers = set()
    for first in (thing for thing in things if thing[0] == found[1]):
        for second in (thing for thing in things if thing[0] == found[3]):
            dx, dy, ratio = first[2] - second[2], first[3] - second[3], first[4] / second[4]
            if found[2].endswith('than'):
                assert max(ratio, 1 / ratio) >= 1.2  # sizes that look alike are not asked about
                true = ratio > 1 if found[2] == 'larger than' else ratio < 1
            else:
                horizontal = found[2] in ('left of', 'right of')
                assert (abs(dx) >= abs(dy)) == horizontal  # asked along the axis that separates them
                true = {'left of': dx < 0, 'right of': dx > 0, 'above': dy < 0, 'below': dy > 0}[found[2]]
            answers.add('yes' if true else 'no')
    return answers


def entries(count, **options):
    """Annotations with their scenes, without rendering."""
    dataset = DigitSceneVQA(count, **{'split': 'train', 'recipe': RECIPE, **options})
    for index in range(count):
        rng = dataset.sampler.rng(index)
        scene = dataset.sampler.sample(rng)
        yield dataset.annotate(scene, rng, index), scene


def test_answers_follow_from_the_scene():
    kinds = Counter()
    for entry, scene in entries(4000):
        (answer,) = set(entry['answers'])
        assert answer_by_brute_force(entry['text'], scene) == {answer}, (entry['text'], scene)
        assert answer in ANSWERS and entry['answer_scores'] == {answer: 1.0} and len(entry['answers']) == 10
        assert entry['answer_type'] == answer_type(answer)
        kinds[entry['question_type']] += 1
    assert set(kinds) == set(QUESTION_TYPES) and min(kinds.values()) > 100


def test_yes_and_no_are_balanced_whatever_is_asked():
    answers = defaultdict(Counter)
    for entry, _ in entries(20_000, question_types=['presence', 'place', 'size']):
        word = re.search('left|right|above|below|larger|smaller|digit|$', entry['text'])[0]
        answers[entry['question_type'], word][entry['answers'][0]] += 1
    assert {word for _, word in answers} == {'left', 'right', 'above', 'below', 'larger', 'smaller', 'digit', ''}
    for asked, counts in answers.items():
        assert set(counts) == {'yes', 'no'}
        assert 0.45 <= counts['yes'] / counts.total() <= 0.55, (asked, counts)


def test_no_other_question_gives_its_answer_away():
    answers = defaultdict(Counter)
    for entry, _ in entries(8000, question_types=['count', 'color', 'ground', 'which']):
        answers[entry['text']][entry['answers'][0]] += 1
    assert len(answers) == 2 + len(DIGITS) + len(COLORS)
    assert max(counts.most_common(1)[0][1] / counts.total() for counts in answers.values()) < 0.4


def test_entries_are_the_same_in_every_run_and_differ_by_split_and_seed():
    first, again = ([entry for entry, _ in entries(200)] for _ in range(2))
    assert first == again
    assert len({entry['text'] for entry in first}) > 50
    for other in (dict(split='test'), dict(seed=1)):
        assert [entry['text'] for entry, _ in entries(200, **other)] != [entry['text'] for entry in first]


def test_train_and_test_show_other_scans():
    shown = {}
    for split in ('train', 'test'):
        shown[split] = {
            digit_scans(split)[item.digit][item.scan].tobytes()
            for _, scene in entries(2000, split=split)
            for item in scene.objects
        }
    assert len(shown['train']) > 1000 and len(shown['test']) > 400
    assert not shown['train'] & shown['test']


def test_samples_for_the_model_and_for_the_tokenizer():
    dataset = DigitSceneVQA(20, split='test', recipe=RECIPE, pipeline=[dict(type='PackImageText')])
    packed = dataset[7]
    sample = packed['data_samples']
    assert packed['inputs'].shape == (3, 32, 32) and np.ptp(packed['inputs'].numpy()) > 50
    assert sample.answer_scores == {sample.answers[0]: 1.0} and sample.question_id == sample.image_id == 7
    assert sample.question_type in QUESTION_TYPES and sample.answer_type in ('yes/no', 'number', 'other')
    assert list(dataset.captions())[7] == sample.text
    assert len({dataset[index]['data_samples'].question_id for index in range(20)}) == 20


def test_only_the_types_that_are_asked_for():
    assert {entry['question_type'] for entry, _ in entries(300, question_types=['count', 'which'])} == {'count', 'which'}
    with pytest.raises(ValueError, match='question_types must be some of'):
        DigitSceneVQA(1, split='train', question_types=['count', 'shape'])
    with pytest.raises(ValueError, match='question_types must be some of'):
        DigitSceneVQA(1, split='train', question_types=[])
    with pytest.raises(ValueError, match='questions_per_scene must be 1 or more, got 0'):
        DigitSceneVQA(1, split='train', questions_per_scene=0)
    with pytest.raises(ValueError, match='at most 4 objects'):
        DigitSceneVQA(1, split='train', recipe=dict(num_objects_probs=(0.2,) * 5))
    alone = dict(num_objects_probs=(1.0,))
    with pytest.raises(ValueError, match='no question of the types .*: add count, ground or presence'):
        DigitSceneVQA(1, split='train', recipe=alone, question_types=['place'])[0]
