"""From Florence-2's answers to captions, boxes, quads and polygons in pixels (arXiv 2311.06242, section 3.1).

| parser | what it reads | key of the regions |
|---|---|---|
| boxes, grounding | a label, then 4 location tokens for each of its boxes | `boxes` |
| proposals | 4 location tokens for each box | `boxes` |
| quads | a text, then 8 location tokens | `quads` |
| polygons | pairs of location tokens, `<sep>` between parts, `<poly>...</poly>` around objects | `polygons` |

An answer is a dict of lists with one entry for each region: `labels`, the regions (flat `x, y, ...` in pixels; of polygons a list
of parts), `spans`, the characters from its first to its last location token, and `label_spans`, those of its label. Spans count
in the text without control tokens, which `Florence2Tokenizer.decode_with_spans` yields.

No text raises an error, and none yields a region that is not written out: location tokens that do not fill a box or a quad are
left out, so are the odd one of a polygon, polygons of fewer than three points and boxes without a label. The rules of the
released code (`ParserOptions.as_released`, see `grammar`) keep those, and drop non-ASCII characters from labels of boxes.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from florence.tasks.florence2.grammar import (
    POLYGON_MARKS,
    LabelledRun,
    find_polygon_parts,
    find_released_polygon_parts,
    find_released_quads,
    find_released_runs,
    find_runs,
)
from florence.tasks.florence2.quantizer import dequantize
from florence.tasks.florence2.tokens import CONTROL_TOKENS, POLYGON_START, location_number

TOKENS_OF_BOX, TOKENS_OF_QUAD, TOKENS_OF_POLYGON = 4, 8, 6


@dataclass(frozen=True)
class ParserOptions:
    """How answers are read.

    Attributes:
        integers: Whole pixels, see `quantizer.dequantize`.
        as_released: Rules of the released code; with `integers`, results equal those of transformers.
        banned_phrases: Labels that phrase grounding leaves out, in lower case, such as `generic_phrases.GENERIC_PHRASES`.
    """

    integers: bool = False
    as_released: bool = False
    banned_phrases: Collection[str] = frozenset()


DEFAULT = ParserOptions()


def parse_text(text: str, image_size: tuple[float, float] | None = None, options: ParserOptions = DEFAULT) -> dict:
    """The answer itself under `text`, without control tokens and outer white space; needs no image size."""
    return dict(text=_without_controls(text).strip())


def parse_boxes(text: str, image_size: tuple[float, float], options: ParserOptions = DEFAULT) -> dict:
    """Labelled boxes, `x1, y1, x2, y2` under `boxes`.

    Args:
        text: Answer of the model.
        image_size: Width and height of the image.
        options: How to read it.
    """
    text = _without_controls(text)
    return _boxes(_labelled_runs(text, options), text, image_size, options)


def parse_grounding(text: str, image_size: tuple[float, float], options: ParserOptions = DEFAULT) -> dict:
    """As `parse_boxes`, without the labels of `options.banned_phrases`."""
    text = _without_controls(text)
    fold = str if options.as_released else str.lower
    runs = (run for run in _labelled_runs(text, options) if fold(run.label) not in options.banned_phrases)
    return _boxes(runs, text, image_size, options)


def parse_proposals(text: str, image_size: tuple[float, float], options: ParserOptions = DEFAULT) -> dict:
    """Boxes whatever stands between them, as `parse_boxes`; each label is ''."""
    text = _without_controls(text)
    runs = find_released_runs(text, has_label=False) if options.as_released else find_runs(text)
    return _boxes((_unlabelled(run) for run in runs), text, image_size, options)


def parse_quads(text: str, image_size: tuple[float, float], options: ParserOptions = DEFAULT) -> dict:
    """Texts with their quads, `x1, y1, ..., x4, y4` under `quads`; arguments as of `parse_boxes`."""
    text = _without_controls(text)
    answer = _Regions('quads', text, image_size, options)
    for run in find_released_quads(text) if options.as_released else filter(_has_label, find_runs(text)):
        for span in _groups(text, run.run_span, TOKENS_OF_QUAD)[:1]:
            answer.add(run, span, answer.pixels(span))
    return answer.lists


def parse_polygons(text: str, image_size: tuple[float, float], options: ParserOptions = DEFAULT) -> dict:
    """Parts of each object under `polygons`; arguments as of `parse_boxes`, each label is ''."""
    text = _without_controls(text)
    if options.as_released:
        return _polygons(find_released_runs(text, False, POLYGON_MARKS), text, image_size, options)
    return _polygons(map(_unlabelled, find_runs(text, POLYGON_MARKS)), text, image_size, options)


def parse_boxes_or_polygons(text: str, image_size: tuple[float, float], options: ParserOptions = DEFAULT) -> dict:
    """Labelled polygons if there is a `<poly>` in the answer, else as `parse_boxes`."""
    if POLYGON_START not in text:
        return parse_boxes(text, image_size, options)
    text = _without_controls(text)
    return _polygons(_labelled_runs(text, options, POLYGON_MARKS), text, image_size, options)


class _Regions:
    """The lists of an answer while they grow."""

    def __init__(self, kind: str, text: str, image_size: tuple[float, float], options: ParserOptions) -> None:
        self._kind, self._text, self._image_size, self._integers = kind, text, image_size, options.integers
        self.lists: dict[str, list] = {'labels': [], kind: [], 'spans': [], 'label_spans': []}

    def pixels(self, span: tuple[int, int]) -> list[float]:
        bins = _bins(self._text, span)
        return dequantize(bins[: len(bins) // 2 * 2], self._image_size, self._integers)

    def add(self, run: LabelledRun, span: tuple[int, int], region: list) -> None:
        self.lists['labels'].append(run.label)
        self.lists[self._kind].append(region)
        self.lists['spans'].append(span)
        self.lists['label_spans'].append(run.label_span)


def _boxes(runs: Iterator[LabelledRun], text: str, image_size: tuple[float, float], options: ParserOptions) -> dict:
    answer = _Regions('boxes', text, image_size, options)
    for run in runs:
        if options.as_released:
            run = run._replace(label=run.label.encode('ascii', 'ignore').decode())
        for span in _groups(text, run.run_span, TOKENS_OF_BOX):
            answer.add(run, span, answer.pixels(span))
    return answer.lists


def _polygons(runs: Iterator[LabelledRun], text: str, image_size: tuple[float, float], options: ParserOptions) -> dict:
    answer = _Regions('polygons', text, image_size, options)
    parts_of_objects = find_released_polygon_parts if options.as_released else find_polygon_parts
    fewest = 0 if options.as_released else TOKENS_OF_POLYGON
    for run in runs:
        first = run.run_span[0]
        for parts in parts_of_objects(text[slice(*run.run_span)]):
            spans = [(first + start, first + end) for start, end in parts]
            spans = [span for span in spans if len(_bins(text, span)) >= fewest]
            if spans:
                answer.add(run, (spans[0][0], spans[-1][1]), [answer.pixels(span) for span in spans])
    return answer.lists


def _labelled_runs(text: str, options: ParserOptions, other_tokens: str = '') -> Iterator[LabelledRun]:
    if options.as_released:
        return find_released_runs(text, True, other_tokens)
    return filter(_has_label, find_runs(text, other_tokens))


def _has_label(run: LabelledRun) -> bool:
    return bool(run.label)


def _unlabelled(run: LabelledRun) -> LabelledRun:
    return run._replace(label='', label_span=(run.run_span[0], run.run_span[0]))


def _groups(text: str, run_span: tuple[int, int], size: int) -> list[tuple[int, int]]:
    """Spans of the complete groups of `size` location tokens in a run."""
    spans = [token.span() for token in re.compile('<[^>]*>').finditer(text, *run_span)]
    return [(spans[i][0], spans[i + size - 1][1]) for i in range(0, len(spans) - size + 1, size)]


def _bins(text: str, span: tuple[int, int]) -> list[int]:
    return [location_number(token) for token in re.findall('<[^>]*>', text[slice(*span)])]


def _without_controls(text: str) -> str:
    for token in CONTROL_TOKENS:
        text = text.replace(token, '')
    return text
