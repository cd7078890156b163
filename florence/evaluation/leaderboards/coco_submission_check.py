"""What is wrong with a list of detections before a server says so, or says nothing and reports 0."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from florence.evaluation.functional.coco_annotations import CocoAnnotations

KEYS = ('image_id', 'category_id', 'score')
OUTSIDE = 1.0  # pixels that a box may stick out of its image, from rounding


def check_detections(records: Sequence[Any], annotations: CocoAnnotations, max_per_image: int) -> list[str]:
    """One sentence per kind of problem, with how often it occurs and where first; empty if all is well.

    Args:
        records: Of `read_results`.
        annotations: Of the split that is submitted; its objects are not needed.
        max_per_image: Detections of an image that the server takes.
    """
    first: dict[str, str] = {}
    numbers: Counter[str] = Counter()
    image_sizes = {image_id: tuple(size) for image_id, size in zip(annotations.image_ids, annotations.sizes.tolist())}
    known = set(annotations.category_ids)
    used: set[int] = set()
    for index, record in enumerate(records):
        for kind, detail in _problems(record, image_sizes, known):
            first.setdefault(kind, f'entry {index}: {detail}')
            numbers[kind] += 1
        if isinstance(record, Mapping) and isinstance(record.get('category_id'), int):
            used.add(record['category_id'])
    sentences = [f'{numbers[kind]} entries {kind} ({detail}).' for kind, detail in first.items()]
    if not records:
        sentences.append('The list is empty: no detection to submit.')
    if used - known and used <= set(range(len(known))):
        sentences.append('The category ids look like indices of classes from 0: write the ids of the annotation file instead.')
    counts = Counter(record['image_id'] for record in records if isinstance(record, Mapping) and is_id(record.get('image_id')))
    crowded = [image_id for image_id, count in counts.items() if count > max_per_image]
    if crowded:
        sentences.append(
            f'{len(crowded)} images have more than {max_per_image} detections (image {crowded[0]!r} has {counts[crowded[0]]}): '
            'keep the best ones.'
        )
    return sentences


def _problems(record: Any, image_sizes: Mapping[Any, tuple[int, int]], categories: set[int]) -> list[tuple[str, str]]:
    """Kinds of problem of one record, each with a detail."""
    if not isinstance(record, Mapping):
        return [('are no objects', repr(record)[:60])]
    missing = [key for key in KEYS if key not in record]
    if 'bbox' not in record and 'segmentation' not in record:
        missing.append('bbox')
    if missing:
        return [(f'lack {", ".join(missing)}', f'it has {sorted(record)}')]
    problems = []
    if not is_id(record['image_id']) or record['image_id'] not in image_sizes:
        problems.append(('name an image that the annotation file does not have', f'{record["image_id"]!r}'))
    if not is_id(record['category_id']) or record['category_id'] not in categories:
        problems.append(('name a category that the annotation file does not have', f'{record["category_id"]!r}'))
    if not is_number(record['score']):
        problems.append(('have a score that is no finite number', f'{record["score"]!r}'))
    size = image_sizes.get(record['image_id']) if is_id(record['image_id']) else None
    if 'bbox' in record:
        problems += _box_problems(record['bbox'], size)
    if 'segmentation' in record:
        problems += _mask_problems(record['segmentation'], size)
    return problems


def _box_problems(box: Any, size: tuple[int, int] | None) -> list[tuple[str, str]]:
    if not is_box(box):
        return [('have a box that is not four finite numbers', repr(box)[:80])]
    left, top, width, height = box
    if width < 0 or height < 0:
        return [('have a box of negative width or height', f'{box}')]
    if size and all(size):
        limit_y, limit_x = size
        if left + width > limit_x + OUTSIDE or top + height > limit_y + OUTSIDE or min(left, top) < -OUTSIDE:
            where = f'{box} in an image of {limit_x} x {limit_y}'
            return [('have a box that leaves its image, is it xyxy or of the resized image?', where)]
    return []


def _mask_problems(segmentation: Any, size: tuple[int, int] | None) -> list[tuple[str, str]]:
    if not isinstance(segmentation, Mapping) or not isinstance(segmentation.get('counts'), str) or 'size' not in segmentation:
        return [('have a mask that is no compressed run-length encoding', repr(segmentation)[:80])]
    if size and all(size) and tuple(segmentation['size']) != size:
        return [('have a mask of another size than the image', f'{segmentation["size"]} instead of {list(size)}')]
    return []


def is_id(value: Any) -> bool:
    """Whether a value can be the id of an image or category."""
    return isinstance(value, int | str)


def has_ids(record: Mapping) -> bool:
    """Whether a detection names its image and its category."""
    return is_id(record.get('image_id')) and is_id(record.get('category_id'))


def is_box(value: Any) -> bool:
    """Whether a value is a box: four finite numbers."""
    return isinstance(value, Sequence) and len(value) == 4 and all(is_number(number) for number in value)


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
