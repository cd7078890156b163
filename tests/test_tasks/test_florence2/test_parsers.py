import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_tasks.test_florence2.answers import broken_answers

from florence.tasks.florence2.parsers import (
    ParserOptions,
    parse_boxes,
    parse_boxes_or_polygons,
    parse_grounding,
    parse_polygons,
    parse_proposals,
    parse_quads,
    parse_text,
)
from florence.tasks.florence2.quantizer import dequantize, location_bins
from florence.tasks.florence2.tokens import ADDED_TOKEN

SIZE = (1000, 2000)
REGION_PARSERS = {
    parse_boxes: 'boxes',
    parse_grounding: 'boxes',
    parse_proposals: 'boxes',
    parse_quads: 'quads',
    parse_polygons: 'polygons',
}


def locations(*bins: int) -> str:
    return ''.join(f'<loc_{number}>' for number in bins)


BOX, NEXT = locations(1, 2, 3, 4), locations(5, 6, 7, 8)
FIRST, SECOND = [1.5, 5, 3.5, 9], [5.5, 13, 7.5, 17]
TRIANGLE, NEXT_TRIANGLE = locations(0, 0, 9, 0, 9, 9), locations(50, 50, 90, 50, 90, 90)
CORNERS, NEXT_CORNERS = [0.5, 1, 9.5, 1, 9.5, 19], [50.5, 101, 90.5, 101, 90.5, 181]


@pytest.mark.parametrize(
    ('parser', 'text', 'labels', 'regions'),
    [
        (parse_boxes, f'</s><s>car{BOX}door handle{NEXT}</s><pad>', ['car', 'door handle'], [FIRST, SECOND]),
        (parse_boxes, f'car{BOX}{NEXT}', ['car', 'car'], [FIRST, SECOND]),
        (parse_boxes, f' na\u00efve a < b\n{BOX}', ['na\u00efve a < b'], [FIRST]),
        (parse_boxes, f'<od>car{BOX}<loc_5><loc_6>dog{NEXT}', ['car', 'dog'], [FIRST, SECOND]),
        (parse_boxes, f'{BOX} {NEXT}', [], []),
        (parse_boxes, f'car{BOX[:-1]}', [], []),
        (parse_boxes, 'car<loc_1><loc_2><loc_1000><loc_3><loc_4>', [], []),
        (parse_proposals, f'{BOX}a{NEXT}<loc_1>', ['', ''], [FIRST, SECOND]),
        (parse_grounding, f'it{BOX}The image{BOX}the dog{NEXT}', ['the dog'], [SECOND]),
        (parse_quads, f'Hello\nWorld{BOX}{NEXT}<loc_1>!{BOX}', ['Hello\nWorld'], [FIRST + SECOND]),
        (parse_polygons, TRIANGLE, [''], [[CORNERS]]),
        (parse_polygons, f'{TRIANGLE}<loc_7><sep>{NEXT_TRIANGLE}', [''], [[CORNERS, NEXT_CORNERS]]),
        (parse_polygons, f'<poly>{TRIANGLE}</poly><poly>{NEXT_TRIANGLE}<loc_7>', ['', ''], [[CORNERS], [NEXT_CORNERS]]),
        (parse_polygons, f'{BOX}<sep><poly></poly><loc_1>', [], []),
        (parse_polygons, f'{TRIANGLE}</poly>{NEXT_TRIANGLE}', ['', ''], [[CORNERS], [NEXT_CORNERS]]),
        (parse_boxes_or_polygons, f'cat{BOX}{NEXT}<poly>{TRIANGLE}</poly>', ['cat'], [[CORNERS]]),
        (parse_boxes_or_polygons, f'cat{BOX}', ['cat'], [FIRST]),
        (
            parse_boxes_or_polygons,
            f'cat<poly>{TRIANGLE}<sep>{NEXT_TRIANGLE}</poly>dog<poly>{TRIANGLE}</poly>',
            ['cat', 'dog'],
            [[CORNERS, NEXT_CORNERS], [CORNERS]],
        ),
    ],
)
def test_answers_by_hand(parser, text, labels, regions):
    answer = parser(text, SIZE, ParserOptions(banned_phrases={'it', 'the image'}))
    kind = next(key for key in ('boxes', 'quads', 'polygons') if key in answer)
    assert answer['labels'] == labels
    assert flat(answer[kind]) == pytest.approx(flat(regions))
    assert len(answer['spans']) == len(answer['label_spans']) == len(labels)


def test_text_is_freed_of_control_tokens():
    assert parse_text('</s><s> a caf\u00e9 <loc_1></s><pad>') == dict(text='a caf\u00e9 <loc_1>')


def test_spans_show_where_regions_and_labels_stand():
    text = f'a caf\u00e9{BOX}{NEXT}dog{BOX}'
    answer = parse_boxes(text, SIZE)
    assert [text[start:end] for start, end in answer['spans']] == [BOX, NEXT, BOX]
    assert [text[start:end] for start, end in answer['label_spans']] == ['a caf\u00e9', 'a caf\u00e9', 'dog']


@pytest.mark.parametrize('parser', REGION_PARSERS)
@settings(max_examples=80, deadline=None)
@given(text=st.one_of(broken_answers, st.text()))
def test_broken_answers_raise_nothing_and_invent_nothing(parser, text):
    text = re.sub('<s>|</s>|<pad>', '', text)
    if re.search('<s>|</s>|<pad>', text):
        return
    answer = parser(text, SIZE)
    places = []
    for region, (start, end), label, (label_start, label_end) in zip(*(answer[key] for key in (REGION_PARSERS[parser], *KEYS))):
        run = text[start:end]
        assert not re.sub('<loc_[0-9]{1,3}>|<sep>', '', run)
        bins = (
            [location_bins(part) for part in run.split('<sep>')] if REGION_PARSERS[parser] == 'polygons' else [location_bins(run)]
        )
        found = region if REGION_PARSERS[parser] == 'polygons' else [region]
        even = [part[: len(part) // 2 * 2] for part in bins if len(part) > 5 or REGION_PARSERS[parser] != 'polygons']
        assert found == [dequantize(part, SIZE) for part in even]
        assert text[label_start:label_end].strip() == label and not re.search(ADDED_TOKEN, label)
        places.append((start, end))
    assert all(first[1] <= second[0] for first, second in zip(places, places[1:]))


@settings(max_examples=60, deadline=None)
@given(text=broken_answers, data=st.data())
def test_what_was_complete_in_a_cut_answer_is_all_there_is(text, data):
    text = re.sub('<s>|</s>|<pad>', '', text)
    cut = text[: data.draw(st.integers(0, len(text)))]
    for parser in (parse_boxes, parse_proposals, parse_quads):
        part, whole = parser(cut, SIZE), parser(text, SIZE)
        number = len(part['labels'])
        assert {key: values[:number] for key, values in whole.items()} == part


def test_options_are_passed_on():
    text = f'caf\u00e9{BOX}'
    assert parse_boxes(text, (640, 640), ParserOptions(integers=True))['boxes'] == [[0, 1, 2, 2]]
    assert parse_boxes(text, SIZE, ParserOptions(as_released=True))['labels'] == ['caf']


KEYS = ('spans', 'labels', 'label_spans')


def flat(values) -> list[float]:
    return [number for value in values for number in (flat(value) if isinstance(value, list) else [value])]
