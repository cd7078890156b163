"""What Florence-2 is to answer, for every task, from one record of an image (arXiv 2311.06242, sections 3.1 and 4).

| field of a record | entries |
|---|---|
| `texts` | `brief`, `detailed`, `more_detailed`: a text or a list of them |
| `regions` | each `box` (xyxy), and what there is of `phrase`, `brief`, `polygons` (parts of the object), `text` with `quad` |
| `triplets` | each `text`, `phrase` in it, `boxes`, and maybe `polygons` (for each box the parts of the object) |
| `questions` | each `question`, `answer` |

All fields may be missing: a task has targets where the record has what it needs. An empty list of regions says that there are no
objects, and the target is an empty text; where nobody looked for objects there is no such list. Coordinates are flat `x, y, ...`
in pixels.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from numbers import Real
from typing import NamedTuple

import numpy as np

from florence.tasks.florence2.quantizer import check_box, location_text
from florence.tasks.florence2.target_regions import Region, TargetOptions, checked_label, in_order, polygons_text, regions_text
from florence.tasks.florence2.tokens import AND
from florence.tasks.json_files import require_fields


class Target(NamedTuple):
    """One thing to ask about an image, and the answer.

    Attributes:
        text: The answer.
        prompt_input: Input of the prompt, a text; None where the task takes none.
        left_out: Boxes of the record that the answer lacks: beyond the cap, or there already.
        truth: All regions that are asked about, in pixels, as parsers give them: `labels` and `boxes`, `quads` or `polygons`.
    """

    text: str
    prompt_input: str | None = None
    left_out: tuple[Region, ...] = ()
    truth: Mapping[str, list] = {}


TargetFormatter = Callable[[Mapping, tuple[float, float], TargetOptions, random.Random], list[Target]]
"""Of a record, its width and height, options and a source of chance: all targets of a task, none where the record lacks data."""


def caption_targets(
    record: Mapping, image_size: tuple[float, float], options: TargetOptions, rng: random.Random, *, kind: str
) -> list[Target]:
    """Each caption of a kind: 'brief', 'detailed', 'more_detailed'."""
    texts = require_fields(record.get('texts', {}), (), f'texts of {_name(record)}').get(kind, [])
    texts = [texts] if isinstance(texts, str) else texts
    return [Target(_text(text, f'{kind} text of {_name(record)}')) for text in texts]


def detection_targets(
    record: Mapping, image_size: tuple[float, float], options: TargetOptions, rng: random.Random, *, field: str | None
) -> list[Target]:
    """All boxes with the text of `field`, 'phrase' or 'brief'; None: all boxes without any."""
    regions = _labelled_boxes(record, field)
    if regions is None:
        return []
    return [_regions_target(in_order(regions, options.order, rng), image_size, options.group_labels, options.max_regions)]


def open_vocabulary_targets(
    record: Mapping, image_size: tuple[float, float], options: TargetOptions, rng: random.Random
) -> list[Target]:
    """All boxes with phrases, asked for by name among names of absent classes."""
    present = list(dict.fromkeys(region.label for region in _labelled_boxes(record, 'phrase') or ()))
    absent = [name for name in options.class_names if name not in present]
    names = present + rng.sample(absent, min(options.num_negatives, len(absent)))
    rng.shuffle(names)
    detections = detection_targets(record, image_size, options, rng, field='phrase') if names else []
    return [target._replace(prompt_input=AND.join(names)) for target in detections]


def grounding_targets(
    record: Mapping, image_size: tuple[float, float], options: TargetOptions, rng: random.Random
) -> list[Target]:
    """For each text of the triplets the boxes of its phrases, phrases as they follow each other in the text."""
    of_text: dict[str, list[tuple[int, list[Region]]]] = {}
    for triplet, source in _entries(record, 'triplets', 'text', 'phrase', 'boxes'):
        text, phrase = _text(triplet['text'], f'text of {source}'), checked_label(triplet['phrase'], f'phrase of {source}')
        place = text.lower().find(phrase.lower())
        boxes = [Region(phrase, _box(box, source)) for box in triplet['boxes']]
        of_text.setdefault(text, []).append((place if place >= 0 else len(text), in_order(boxes, options.order, rng)))
    targets = []
    for text, phrases in of_text.items():
        regions = [region for _, boxes in sorted(phrases, key=lambda entry: entry[0]) for region in boxes]
        targets.append(_regions_target(regions, image_size, True, options.max_regions)._replace(prompt_input=text))
    return targets


def referring_targets(
    record: Mapping, image_size: tuple[float, float], options: TargetOptions, rng: random.Random
) -> list[Target]:
    """For each phrase with polygons the objects it means."""
    return [
        _mask_target(triplet['polygons'], image_size, options, checked_label(triplet['phrase'], f'phrase of {source}'), source)
        for triplet, source in _entries(record, 'triplets', 'phrase', if_field='polygons')
    ]


def region_mask_targets(
    record: Mapping, image_size: tuple[float, float], options: TargetOptions, rng: random.Random
) -> list[Target]:
    """For each region with polygons its parts."""
    return [
        _mask_target([region['polygons']], image_size, options, location_text(_box(region['box'], source), image_size), source)
        for region, source in _entries(record, 'regions', 'box', if_field='polygons')
    ]


def region_text_targets(
    record: Mapping, image_size: tuple[float, float], options: TargetOptions, rng: random.Random, *, field: str
) -> list[Target]:
    """For each region with that field ('phrase', 'brief', 'text') the text in it."""
    return [
        Target(_text(region[field], f'{field} of {source}'), location_text(_box(region['box'], source), image_size))
        for region, source in _entries(record, 'regions', 'box', if_field=field)
    ]


def ocr_targets(record: Mapping, image_size: tuple[float, float], options: TargetOptions, rng: random.Random) -> list[Target]:
    """The texts of all regions as lines, in the order of the record."""
    lines = [_text(region['text'], f'text of {source}') for region, source in _entries(record, 'regions', if_field='text')]
    return [Target('\n'.join(lines))] if lines else []


def ocr_region_targets(
    record: Mapping, image_size: tuple[float, float], options: TargetOptions, rng: random.Random
) -> list[Target]:
    """All texts with their quads, in the order of the record."""
    quads = [
        Region(checked_label(region['text'], f'text of {source}'), _coordinates(region['quad'], 8, f'quad of {source}'))
        for region, source in _entries(record, 'regions', 'quad', if_field='text')
    ]
    return [_regions_target(quads, image_size, False, options.max_regions)] if quads else []


def question_targets(
    record: Mapping, image_size: tuple[float, float], options: TargetOptions, rng: random.Random
) -> list[Target]:
    """Each question and its answer."""
    return [
        Target(_text(entry['answer'], f'answer of {source}'), _text(entry['question'], f'question of {source}'))
        for entry, source in _entries(record, 'questions', 'question', 'answer')
    ]


def check_boxes(record: Mapping, image_size: tuple[float, float]) -> None:
    """Check that a model can learn from all boxes of a record.

    Raises:
        KeyError, ValueError: If one is malformed, has no area or lies outside the image.
    """
    for region, source in _entries(record, 'regions', 'box', if_field='box'):
        check_box(_box(region['box'], source), image_size, source)
    for triplet, source in _entries(record, 'triplets', 'boxes', if_field='boxes'):
        for box in triplet['boxes']:
            check_box(_box(box, source), image_size, source)


def _regions_target(
    regions: list[Region], image_size: tuple[float, float], group_labels: bool, max_regions: int | None
) -> Target:
    text, left_out = regions_text(regions, image_size, group_labels, max_regions)
    kind = 'quads' if regions and len(regions[0].coordinates) == 8 else 'boxes'
    labels, coordinates = [region.label for region in regions], [region.coordinates for region in regions]
    return Target(text, left_out=left_out, truth={'labels': labels, kind: coordinates})


def _mask_target(
    objects: Sequence[Sequence[Sequence[float]]],
    image_size: tuple[float, float],
    options: TargetOptions,
    prompt_input: str,
    source: str,
) -> Target:
    text = polygons_text(objects, image_size, options.max_points, source)
    return Target(text, prompt_input, truth={'labels': [''] * len(objects), 'polygons': list(objects)})


def _labelled_boxes(record: Mapping, field: str | None) -> list[Region] | None:
    """Boxes of the regions that have the field; None if nobody looked for them."""
    entries = list(_entries(record, 'regions', 'box', if_field=field or 'box'))
    if not entries and record.get('regions') != []:
        return None
    return [
        Region(checked_label(region[field], f'{field} of {source}') if field else '', _box(region['box'], source))
        for region, source in entries
    ]


def _entries(record: Mapping, name: str, *fields: str, if_field: str | None = None) -> Iterator[tuple[dict, str]]:
    """Entries of a list of the record, those that have `if_field`, and what to call them in errors."""
    for index, entry in enumerate(record.get(name, ())):
        source = f'{name[:-1]} {index} of {_name(record)}'
        if if_field is None or not isinstance(entry, dict) or if_field in entry:
            yield require_fields(entry, fields, source), source


def _name(record: Mapping) -> str:
    return str(record.get('image', 'the record'))


def _box(box: Sequence[float], source: str) -> list[float]:
    x1, y1, x2, y2 = _coordinates(box, 4, f'box of {source}')
    if x1 > x2 or y1 > y2:
        raise ValueError(f'the box of {source} must be x1, y1, x2, y2 with x1 <= x2 and y1 <= y2, got {list(box)}')
    return [x1, y1, x2, y2]


def _coordinates(values: Sequence[float], number: int, source: str) -> list[float]:
    if np.ndim(values) != 1 or len(values) != number or not all(isinstance(value, Real) and isfinite(value) for value in values):
        raise ValueError(f'the {source} must be {number} finite numbers, got {values!r:.80}')
    return [float(value) for value in values]


def _text(text: object, source: str) -> str:
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f'the {source} must be a text, got {text!r:.80}')
    return text.strip()
