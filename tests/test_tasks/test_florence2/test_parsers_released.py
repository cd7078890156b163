"""The released rules against the post-processor of transformers, on answers that went wrong."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_tasks.test_florence2.answers import broken_answers

from florence.tasks.florence2 import parsers

BANNED = {'the image', 'it'}
OPTIONS = parsers.ParserOptions(integers=True, as_released=True, banned_phrases=BANNED)


@pytest.fixture(scope='module')
def reference():
    from transformers.models.florence2.processing_florence2 import Florence2PostProcessor

    kinds = ('ocr', 'bboxes', 'polygons', 'description_with_bboxes', 'description_with_bboxes_or_polygons')
    config = {kind: {} for kind in kinds} | {'phrase_grounding': {'banned_grounding_tokens': list(BANNED)}}
    return Florence2PostProcessor(config, SimpleNamespace(all_special_tokens=[]))


@pytest.mark.parametrize(
    ('parser', 'kind'),
    [
        (parsers.parse_boxes, 'description_with_bboxes'),
        (parsers.parse_proposals, 'bboxes'),
        (parsers.parse_grounding, 'phrase_grounding'),
        (parsers.parse_quads, 'ocr'),
        (parsers.parse_polygons, 'polygons'),
        (parsers.parse_boxes_or_polygons, 'description_with_bboxes_or_polygons'),
    ],
)
@settings(max_examples=80, deadline=None)
@given(text=broken_answers, size=st.tuples(st.integers(1, 3000), st.integers(1, 3000)))
def test_equal_to_transformers(parser, kind, text, size, reference):
    answer = parser(text, size, OPTIONS)
    key = next(key for key in ('boxes', 'quads', 'polygons') if key in answer)
    expected = reference(text=text, image_size=size, parse_tasks=kind)[kind]
    labels = [entry.get('cat_name', entry.get('text')) for entry in expected]
    regions = [entry.get('polygons') or entry.get('quad_box') or entry['bbox'] for entry in expected]
    if kind == 'phrase_grounding':
        labels = [label for label, boxes in zip(labels, regions, strict=True) for _ in boxes]
        regions = [box for boxes in regions for box in boxes]
    assert (answer['labels'], answer[key]) == (labels, regions)
