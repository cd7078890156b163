"""The 1,024 tokens that Florence-2 (arXiv 2311.06242) adds to BART's vocabulary, in the order of the release.

`<region_to_desciption>` is misspelt in the release; the spelling is part of the token. Task tags such as `<OD>` are no tokens:
they stand for an English prompt. Nor is `<image>`, which only transformers adds, as a place holder for image features.
"""

import re

NUM_BINS = 1000
LOCATION_TOKENS = tuple(f'<loc_{number}>' for number in range(NUM_BINS))
SEPARATOR, POLYGON_START, POLYGON_END, AND = '<sep>', '<poly>', '</poly>', '<and>'

_PAIRS = ('cap', 'ncap', 'dcap', 'grounding', 'seg'), ('region_cap', 'region_to_desciption', 'proposal')
_TASK_MARKS, _REGION_MARKS = ([mark for name in names for mark in (f'<{name}>', f'</{name}>')] for names in _PAIRS)

ADDED_TOKENS = (
    '<od>', '</od>', '<ocr>', '</ocr>',
    *LOCATION_TOKENS,
    *_TASK_MARKS,
    SEPARATOR,
    *_REGION_MARKS,
    POLYGON_START, POLYGON_END, AND,
)  # fmt: skip

LOCATION = r'<loc_(?:0|[1-9][0-9]{0,2})>'
"""Regular expression of a location token; `<loc_1000>` and `<loc_07>` are none."""

ADDED_TOKEN = '|'.join([LOCATION, *(re.escape(token) for token in ADDED_TOKENS if token not in LOCATION_TOKENS)])
"""Regular expression of any of the added tokens."""

CONTROL_TOKENS = ('<s>', '</s>', '<pad>')
"""Start, end and padding of a sequence: no part of an answer."""


def location_number(token: str) -> int:
    """`<loc_42>` -> 42."""
    return int(token[len('<loc_') : -1])
