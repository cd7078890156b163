"""Where labels and runs of location tokens stand in an answer of Florence-2: our grammar, and that of the released code.

The released one finds labels as `[^<]+`: in a broken answer `cat<loc_1><loc_2>dog<loc_3>...` that is "loc_2>dog", and of "a < b"
only "b" is left. Ours takes the whole text since the last added token. On answers as they should be both agree.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from florence.tasks.florence2.tokens import ADDED_TOKEN, LOCATION, POLYGON_END, POLYGON_START, SEPARATOR

POLYGON_MARKS = f'{SEPARATOR}|{POLYGON_START}|{POLYGON_END}'

# Numbers beyond 999, which no vocabulary has, are locations there; beyond nine digits float arithmetic could overflow.
RELEASED_LOCATION = r'<loc_\d{1,9}>'


class LabelledRun(NamedTuple):
    """A run of tokens and the label before it; spans are first character and the one after the last."""

    label: str
    label_span: tuple[int, int]
    run_span: tuple[int, int]


def find_runs(text: str, other_tokens: str = '') -> Iterator[LabelledRun]:
    """Longest runs of location tokens.

    Args:
        text: The answer without control tokens.
        other_tokens: Regular expression of tokens that may be in a run, too.
    """
    token = f'{LOCATION}|{other_tokens}' if other_tokens else LOCATION
    last_end = 0
    for piece in re.finditer(f'(?P<run>(?:{token})+)|{ADDED_TOKEN}', text):
        if piece['run']:
            yield LabelledRun(text[last_end : piece.start()].strip(), (last_end, piece.start()), piece.span())
        last_end = piece.end()


def find_polygon_parts(run: str) -> Iterator[list[tuple[int, int]]]:
    """Spans of the parts of each object in a run; objects end at any of their marks, and outside of them only if none begins."""
    start = POLYGON_START if POLYGON_START in run else ''
    return _parts(run, f'{start}(.*?)(?={POLYGON_START}|{POLYGON_END}|$)', f'((?:{LOCATION})+)')


def find_released_runs(text: str, has_label: bool, other_tokens: str = '') -> Iterator[LabelledRun]:
    """As `find_runs`, by the released rules; runs have four tokens or more."""
    token = f'{RELEASED_LOCATION}|{other_tokens}' if other_tokens else RELEASED_LOCATION
    for found in re.finditer(f'({"[^<]+" if has_label else ""})((?:{token}){{4,}})', text):
        label = re.match(f'.*?(?=<loc_|{POLYGON_START})', re.sub(f'^{RELEASED_LOCATION}', '', found[0]).lstrip())
        if label:
            yield LabelledRun(label[0].strip(), found.span(1), found.span(2))


def find_released_quads(text: str) -> Iterator[LabelledRun]:
    """Runs of eight location tokens and the text of the same line before them, be it location tokens."""
    for found in re.finditer(f'(.+?)((?:{RELEASED_LOCATION}){{8}})', text):
        yield LabelledRun(found[1].strip(), found.span(1), found.span(2))


def find_released_polygon_parts(run: str) -> Iterator[list[tuple[int, int]]]:
    """As `find_polygon_parts`, by the released rules: objects have both marks, parts end with `<sep>` or with the object."""
    has_marks = POLYGON_START in run and POLYGON_END in run
    objects = f'{POLYGON_START}(.*?){POLYGON_END}' if has_marks else '^(.*)$'
    return _parts(run, objects, f'((?:{RELEASED_LOCATION})+)(?:{SEPARATOR}|$)')


def _parts(run: str, objects: str, parts: str) -> Iterator[list[tuple[int, int]]]:
    for found in re.finditer(objects, run):
        first = found.start(1)
        yield [(first + part.start(1), first + part.end(1)) for part in re.finditer(parts, found[1])]
