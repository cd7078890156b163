import random
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from florence.evaluation.task_answers.places import rasterized
from florence.tasks.florence2.quantizer import quantize
from florence.tasks.florence2.target_regions import Region, TargetOptions
from florence.tasks.florence2.task import get_task, make_prompt, task_tags
from florence.tasks.florence2.tokens import ADDED_TOKEN, CONTROL_TOKENS

SIZE = (100, 200)
GIVEN = TargetOptions(order='given')
CAT, DOG, KITTEN = [0, 0, 10, 10], [50, 0, 100, 200], [20, 20, 30, 60]
SQUARE, COUNTER_CLOCKWISE = [0, 0, 50, 0, 50, 50, 0, 50], [0, 0, 0, 50, 50, 50]
RECORD = dict(
    image='a.jpg',
    texts=dict(brief='a cat and a dog', detailed=['a cat', ' a dog ']),
    regions=[
        dict(box=CAT, phrase='cat', brief='a grey cat'),
        dict(box=DOG, phrase='dog', polygons=[SQUARE, COUNTER_CLOCKWISE]),
        dict(box=KITTEN, phrase='cat'),
        dict(box=[0, 0, 100, 20], text='SALE', quad=[0, 0, 100, 0, 100, 20, 0, 20]),
        dict(box=[0, 20, 100, 40], text='now'),
    ],
    triplets=[
        dict(text='a dog and a cat', phrase='a cat', boxes=[CAT, KITTEN]),
        dict(text='a dog and a cat', phrase='a dog', boxes=[DOG], polygons=[[SQUARE]]),
        dict(text='two cats', phrase='two cats', boxes=[CAT], polygons=[[SQUARE, COUNTER_CLOCKWISE], [SQUARE]]),
    ],
    questions=[dict(question='how many cats?', answer='2')],
)


def locs(*bins: int) -> str:
    return ''.join(f'<loc_{number}>' for number in bins)


CAT_BINS, DOG_BINS, KITTEN_BINS = locs(0, 0, 100, 50), locs(500, 0, 999, 999), locs(200, 100, 300, 300)
SALE_BOX, NOW_BOX = locs(0, 0, 999, 100), locs(0, 100, 999, 200)
SQUARE_BINS, CLOCKWISE_BINS = locs(0, 0, 500, 0, 500, 250, 0, 250), locs(0, 0, 500, 250, 0, 250)


def targets_of(tag: str, record: dict = RECORD, options: TargetOptions = GIVEN, seed: int = 0) -> list:
    return get_task(tag).targets(record, SIZE, options, random.Random(seed))


@pytest.mark.parametrize(
    ('tag', 'expected'),
    [
        ('<CAPTION>', [(None, 'a cat and a dog')]),
        ('<DETAILED_CAPTION>', [(None, 'a cat'), (None, 'a dog')]),
        ('<MORE_DETAILED_CAPTION>', []),
        ('<OD>', [(None, f'cat{CAT_BINS}{KITTEN_BINS}dog{DOG_BINS}')]),
        ('<DENSE_REGION_CAPTION>', [(None, f'a grey cat{CAT_BINS}')]),
        ('<REGION_PROPOSAL>', [(None, CAT_BINS + DOG_BINS + KITTEN_BINS + SALE_BOX + NOW_BOX)]),
        ('<OCR>', [(None, 'SALE\nnow')]),
        (
            '<CAPTION_TO_PHRASE_GROUNDING>',
            [
                ('a dog and a cat', f'a dog{DOG_BINS}a cat{CAT_BINS}{KITTEN_BINS}'),
                ('two cats', f'two cats{CAT_BINS}'),
            ],
        ),
        (
            '<REFERRING_EXPRESSION_SEGMENTATION>',
            [
                ('a dog', SQUARE_BINS),
                ('two cats', f'<poly>{SQUARE_BINS}<sep>{CLOCKWISE_BINS}</poly><poly>{SQUARE_BINS}</poly>'),
            ],
        ),
        ('<REGION_TO_SEGMENTATION>', [(DOG_BINS, f'{SQUARE_BINS}<sep>{CLOCKWISE_BINS}')]),
        ('<REGION_TO_CATEGORY>', [(CAT_BINS, 'cat'), (DOG_BINS, 'dog'), (KITTEN_BINS, 'cat')]),
        ('<REGION_TO_DESCRIPTION>', [(CAT_BINS, 'a grey cat')]),
        ('<REGION_TO_OCR>', [(SALE_BOX, 'SALE'), (NOW_BOX, 'now')]),
        ('<VQA>', [('how many cats?', '2')]),
    ],
)
def test_targets_by_hand(tag, expected):
    found = targets_of(tag)
    assert [(target.prompt_input, target.text) for target in found] == expected
    for target in found:
        assert make_prompt(tag, target.prompt_input)


def test_a_text_without_a_quad_is_named():
    with pytest.raises(KeyError, match="region 4 of a.jpg has no field 'quad'"):
        targets_of('<OCR_WITH_REGION>')
    regions = RECORD['regions'][:4]
    [target] = targets_of('<OCR_WITH_REGION>', dict(regions=regions))
    assert target.text == 'SALE' + locs(0, 0, 999, 0, 999, 100, 0, 100)


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        (dict(order='area'), f'dog{DOG_BINS}cat{KITTEN_BINS}{CAT_BINS}'),
        (dict(order='left_right'), f'cat{CAT_BINS}{KITTEN_BINS}dog{DOG_BINS}'),
        (dict(order='given', group_labels=False), f'cat{CAT_BINS}dog{DOG_BINS}cat{KITTEN_BINS}'),
        (dict(order='area', group_labels=False), f'dog{DOG_BINS}cat{KITTEN_BINS}cat{CAT_BINS}'),
    ],
)
def test_rules_of_order_and_labels(options, text):
    assert targets_of('<OD>', options=TargetOptions(**options))[0].text == text


def test_random_order_follows_the_seed():
    options = TargetOptions(order='random', group_labels=False)
    texts = [targets_of('<OD>', options=options, seed=seed)[0].text for seed in range(20)]
    assert len(set(texts)) == 6
    assert texts == [targets_of('<OD>', options=options, seed=seed)[0].text for seed in range(20)]


def test_what_a_cap_leaves_out_is_said():
    [target] = targets_of('<OD>', options=TargetOptions(max_regions=2))
    assert target.text == f'dog{DOG_BINS}cat{KITTEN_BINS}'
    assert target.left_out == (Region('cat', CAT),)


@pytest.mark.parametrize('max_points', [60, 12])
def test_long_polygons_are_simplified_where_asked(max_points):
    angles = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    radius = 60 + 20 * np.sin(3 * angles) + np.random.default_rng(0).normal(0, 0.5, 400)
    blob = np.stack([100 + radius * np.cos(angles), 100 + radius * np.sin(angles)], 1).reshape(-1).tolist()
    record = dict(regions=[dict(box=[0, 0, 200, 200], polygons=[blob, [0, 0, 9, 0, 9, 9]])])

    def written(options):
        [target] = get_task('<REGION_TO_SEGMENTATION>').targets(record, (200, 200), options, random.Random(0))
        assert target.truth['polygons'] == [[blob, [0, 0, 9, 0, 9, 9]]]
        parsed = get_task('<REGION_TO_SEGMENTATION>').parser(target.text, (200, 200))
        return [len(part) // 2 for part in parsed['polygons'][0]], rasterized(parsed['polygons'], (200, 200))

    sizes, whole = written(TargetOptions())
    assert sizes == [400, 3]
    sizes, simple = written(TargetOptions(max_points=max_points))
    assert sizes == [max_points, 3]
    assert (whole & simple).sum() / (whole | simple).sum() > (0.97 if max_points == 60 else 0.9)


def test_a_box_is_written_once():
    record = dict(regions=[dict(box=CAT, phrase='cat'), dict(box=[0, 0, 10.01, 10], phrase='cat'), dict(box=CAT, phrase='pet')])
    [target] = targets_of('<OD>', record)
    assert target.text == f'cat{CAT_BINS}pet{CAT_BINS}'
    assert target.left_out == (Region('cat', [0, 0, 10.01, 10]),)


def test_absent_classes_are_asked_for_too():
    options = TargetOptions(order='given', num_negatives=2, class_names=('cat', 'cow', 'horse', 'sheep'))
    asked = Counter()
    for seed in range(40):
        [target] = targets_of('<OPEN_VOCABULARY_DETECTION>', options=options, seed=seed)
        names = target.prompt_input.split('<and>')
        assert target.text == f'cat{CAT_BINS}{KITTEN_BINS}dog{DOG_BINS}'
        assert len(set(names)) == len(names) == 4 and {'cat', 'dog'} < set(names)
        asked.update(names)
        asked[f'first {names[0]}'] += 1
    assert min(asked[name] for name in ('cow', 'horse', 'sheep', 'first cow', 'first cat', 'first dog')) > 0
    [target] = targets_of('<OPEN_VOCABULARY_DETECTION>', dict(regions=[]), options)
    assert target.text == '' and len(target.prompt_input.split('<and>')) == 2


def test_an_empty_list_of_regions_is_an_image_without_objects():
    empty = {tag: [target.text for target in targets_of(tag, dict(regions=[]))] for tag in task_tags()}
    lists = ('<OD>', '<DENSE_REGION_CAPTION>', '<REGION_PROPOSAL>')
    assert empty == {tag: [''] if tag in lists else [] for tag in task_tags()}
    assert all(targets_of(tag, {}) == [] for tag in task_tags())


labels = st.text(st.characters(exclude_categories=['Cs']), min_size=1, max_size=6).filter(
    lambda text: text.strip() and not re.search('|'.join([ADDED_TOKEN, *CONTROL_TOKENS]), text)
)
corners = st.tuples(*[st.floats(0, 199)] * 4).map(
    lambda values: [min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])]
)


@settings(max_examples=50, deadline=None)
@given(
    boxes=st.lists(st.tuples(labels, corners), max_size=8),
    order=st.sampled_from(['area', 'left_right', 'random', 'given']),
    group=st.booleans(),
)
def test_what_is_written_is_read_again(boxes, order, group):
    record = dict(regions=[dict(box=box, phrase=label, brief=label) for label, box in boxes])
    options = TargetOptions(order=order, group_labels=group)
    written = {(label.strip(), tuple(quantize(box, SIZE))) for label, box in boxes}
    for tag in ('<OD>', '<DENSE_REGION_CAPTION>'):
        [target] = targets_of(tag, record, options)
        answer = get_task(tag).parser(target.text, SIZE)
        read = [(label, tuple(quantize(box, SIZE))) for label, box in zip(answer['labels'], answer['boxes'], strict=True)]
        assert len(read) + len(target.left_out) == len(boxes)
        assert set(read) == written and len(read) == len(written)


@pytest.mark.parametrize(
    ('tag', 'record', 'message'),
    [
        ('<OD>', dict(regions=[dict(phrase='cat')]), "region 0 of the record has no field 'box'"),
        ('<OD>', dict(regions=[7]), 'region 0 of the record must be an object with box'),
        ('<OD>', dict(image='b.jpg', regions=[dict(box=[5, 5, 1, 9], phrase='cat')]), 'box of region 0 of b.jpg must be x1, y1'),
        ('<OD>', dict(regions=[dict(box=[5, 5, 9], phrase='cat')]), 'must be 4 finite numbers'),
        ('<OD>', dict(regions=[dict(box=[5, 5, 9, None], phrase='cat')]), 'must be 4 finite numbers'),
        ('<OD>', dict(regions=[dict(box=CAT, phrase=' ')]), "phrase of region 0 of the record must be a text, got ' '"),
        ('<OD>', dict(regions=[dict(box=CAT, phrase='a <loc_5>')]), 'spells the token <loc_5>'),
        ('<OD>', dict(regions=[dict(box=CAT, phrase='</s>')]), 'spells the token </s>'),
        (
            '<REGION_TO_SEGMENTATION>',
            dict(regions=[dict(box=CAT, polygons=[[1, 2, 3, 4]])]),
            'polygons of region 0 of the record',
        ),
        ('<REGION_TO_SEGMENTATION>', dict(regions=[dict(box=CAT, polygons=SQUARE)]), 'must be flat lists'),
        ('<REGION_TO_SEGMENTATION>', dict(regions=[dict(box=CAT, polygons={'counts': 'abc'})]), 'must be flat lists'),
        ('<CAPTION>', dict(texts=['a cat']), 'texts of the record must be an object'),
        ('<CAPTION>', dict(texts=dict(brief=' ')), 'brief text of the record must be a text'),
        ('<VQA>', dict(questions=[dict(question='why?')]), "question 0 of the record has no field 'answer'"),
    ],
)
def test_faults_of_records_are_named(tag, record, message):
    with pytest.raises((KeyError, ValueError), match=message):
        targets_of(tag, record)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(order='size'), 'order must be one of area'),
        (dict(max_regions=0), 'at least 1'),
        (dict(max_points=2), 'at least 3'),
        (dict(num_negatives=1), 'class_names to draw from'),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        TargetOptions(**options)
