"""From a COCO-style JSON file to a `DetectionTable`, one entry at a time."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from florence.datasets.detection_columns import BoxColumns, ImageColumns, read_categories
from florence.datasets.detection_dirt import Dirt
from florence.datasets.detection_json import stream_members
from florence.datasets.detection_storage import PackedRows
from florence.datasets.detection_table import UNKNOWN, Categories, DetectionTable, Source


def read_detection_table(path: str | Path, *, with_masks: bool = False) -> tuple[DetectionTable, Dirt]:
    """Read the file; annotations that belong nowhere are left out and counted.

    Args:
        path: COCO-style JSON file.
        with_masks: Keep the segmentations too.

    Returns:
        The table, and what was wrong with the file so far: geometry is judged by `detection_checks`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is cut short, or lacks what makes a file one of detection.
    """
    return table_of_members(str(path), stream_members(path), with_masks=with_masks)


def table_of_members(path: str, entries: Iterable[tuple[str, Any]], *, with_masks: bool = False) -> tuple[DetectionTable, Dirt]:
    """A table of the entries of a file, whatever form the file has.

    Args:
        path: Name of the file, for messages.
        entries: 'images', 'annotations', 'categories' or 'sources', each with one entry in COCO's form; others are passed over.
        with_masks: Keep the segmentations too.

    Raises:
        ValueError: If categories or images are missing, or an entry lacks a field.
    """
    dirt = Dirt(path)
    members: dict[str, Any] = {'categories': [], 'sources': []}
    images, boxes = ImageColumns(path), BoxColumns(path, with_masks)
    name, value = '', None
    try:
        for name, value in entries:
            if name == 'annotations':
                boxes.add(value)
            elif name == 'images':
                images.add(value)
            elif name in members:
                members[name].append(value)
    except (AttributeError, OverflowError, TypeError) as error:
        raise ValueError(f"{path}: an entry of {name!r} has not COCO's form ({error}): {str(value)[:80]}.") from error
    for what, found in (('categories', members['categories']), ('images', images.ids.values)):
        if not found:
            raise ValueError(f'{path} lists no {what}: expected a COCO-style file with images, annotations and categories.')
    try:
        categories = read_categories(members['categories'], path)
        return _assemble(path, categories, members['sources'], images, boxes, dirt), dirt
    except (OverflowError, TypeError) as error:
        raise ValueError(f'{path}: its categories, sources or lists of category ids have another form: {error}.') from error


def _index_of(values: NDArray, known: NDArray) -> NDArray[np.int32]:
    """Index of each value in `known`, the first where it stands there twice; `UNKNOWN` where it does not."""
    if not len(values):
        return np.zeros(0, np.int32)
    order = np.argsort(known, kind='stable')
    place = np.minimum(np.searchsorted(known, values, sorter=order), len(known) - 1)
    found = order[place]
    return np.where(known[found] == values, found, UNKNOWN).astype(np.int32)


def _assemble(
    path: str, categories: Categories, source_entries: list[dict], images: ImageColumns, boxes: BoxColumns, dirt: Dirt
) -> DetectionTable:
    image_ids, box_images = images.ids.column(), boxes.images.column()
    if len(box_images) and image_ids.dtype.kind != box_images.dtype.kind:
        raise ValueError(f'{path}: images are numbered by {image_ids[0]!r}, annotations refer to {box_images[0]!r}.')
    box_category_ids = np.frombuffer(boxes.categories, dtype=np.int64)
    box_image = _index_of(box_images, image_ids)
    box_category = _index_of(box_category_ids, categories.ids)
    box_ids = np.frombuffer(boxes.ids, dtype=np.int64)
    xywh = np.frombuffer(boxes.boxes, dtype=np.float64).reshape(-1, 4)  # (M, 4)
    xyxy = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1).astype(np.float32)
    keep = np.ones(len(xyxy), dtype=bool)
    for unknown, column, kind in (
        (box_image == UNKNOWN, box_images, 'annotations of an image that the file does not list left out'),
        (box_category == UNKNOWN, box_category_ids, 'annotations of a category that the file does not list left out'),
    ):
        rows = np.flatnonzero(unknown & keep)
        dirt.add(kind, len(rows), f'id {column[rows[0]]}' if len(rows) else '')
        keep &= ~unknown
    keep &= ~_repeated(box_ids, box_image, box_category, xyxy, keep, dirt)
    rows = np.flatnonzero(keep)
    rows = rows[np.argsort(box_image[rows], kind='stable')]
    flags = np.frombuffer(bytes(boxes.flags), dtype=np.uint8)
    scores = None
    if boxes.scores:
        scores = np.full(len(xyxy), np.nan, dtype=np.float32)
        scores[np.fromiter(boxes.scores, dtype=np.int64)] = np.fromiter(boxes.scores.values(), dtype=np.float32)
    source_names, sources = _sources(path, source_entries, images.sources, categories, dirt)
    has_own_check, own_check = _checks(images, categories, box_image, box_category)
    table = DetectionTable(
        path=path,
        categories=categories,
        image_ids=image_ids,
        file_names=images.names.pack(),
        sizes=np.frombuffer(images.sizes, dtype=np.int32).reshape(-1, 2),  # (N, 2)
        image_source=np.array([source_names[name] for name in images.sources], dtype=np.int16),
        sources=sources,
        has_own_check=has_own_check,
        own_check=own_check,
        box_ids=box_ids[rows],
        box_image=box_image[rows],
        box_category=box_category[rows],
        boxes=xyxy[rows],
        is_crowd=(flags & 1).astype(bool)[rows],
        is_ignored=(flags & 2).astype(bool)[rows],
        scores=None if scores is None else scores[rows],
        masks=None if boxes.masks is None or not boxes.num_masks else boxes.masks.pack().take(rows),
        num_masks_left=0 if boxes.masks is not None else boxes.num_masks,
    )
    return _without_repeated_images(table, dirt)


def _repeated(
    box_ids: NDArray, box_image: NDArray, box_category: NDArray, boxes: NDArray, keep: NDArray, dirt: Dirt
) -> NDArray[np.bool_]:
    """Which annotations repeat an earlier one of the same id, image, category and box."""
    repeated = np.zeros(len(box_ids), dtype=bool)
    order = np.argsort(box_ids, kind='stable')
    again = np.flatnonzero((np.diff(box_ids[order]) == 0) & (box_ids[order[1:]] != UNKNOWN))
    if not len(again):
        return repeated
    seen = set()
    for row in np.unique(np.concatenate([order[again], order[again + 1]])):
        key = (box_ids[row], box_image[row], box_category[row], boxes[row].tobytes())
        repeated[row] = key in seen
        seen.add(key)
    repeated &= keep
    shared = len(again) - int(repeated.sum())
    dirt.add('annotations that repeat an earlier one left out', int(repeated.sum()), f'id {box_ids[repeated.argmax()]}')
    dirt.add('annotations with the id of another one kept', shared, f'id {box_ids[order[again[0]]]}')
    return repeated


def _without_repeated_images(table: DetectionTable, dirt: Dirt) -> DetectionTable:
    _, first = np.unique(table.image_ids, return_index=True)
    if len(first) == table.num_images:
        return table
    is_first = np.zeros(table.num_images, dtype=bool)
    is_first[first] = True
    again = np.flatnonzero(~is_first)
    dirt.add('images with the id of an earlier one left out', len(again), f'{table.file_names.text(int(again[0]))}')
    return table.take_images(is_first)


def _sources(
    path: str, entries: list[dict], used: list[str], categories: Categories, dirt: Dirt
) -> tuple[dict[str, int], tuple[Source, ...]]:
    sources = []
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get('name'), str):
            raise ValueError(f'{path}: every entry of sources needs a name, found {str(entry)[:80]}.')
        checked = None
        if entry.get('federated') or 'category_ids' in entry:
            checked = np.sort(_known(entry.get('category_ids', ()), categories))
        sources.append(Source(entry['name'], checked))
    names = {source.name: number for number, source in enumerate(sources)}
    for name in dict.fromkeys(used):
        if name not in names:
            if entries:
                dirt.add('sources that the file does not describe, taken to be checked for every class', 1, repr(name))
            names[name] = len(sources)
            sources.append(Source(name))
    return names, tuple(sources)


def _known(ids: list[int], categories: Categories) -> NDArray[np.int64]:
    if not isinstance(ids, list | tuple) or not all(isinstance(number, int) for number in ids):
        raise TypeError(f'category ids must be a list of numbers, found {str(ids)[:60]!r}')
    places = _index_of(np.array(ids, dtype=np.int64), categories.ids)
    return places[places != UNKNOWN].astype(np.int64)


def _checks(
    images: ImageColumns, categories: Categories, box_image: NDArray, box_category: NDArray
) -> tuple[NDArray[np.bool_], PackedRows]:
    """Categories that each image lists as checked; LVIS lists what is absent and what is incomplete instead."""
    number = len(images.sizes) // 2
    own: dict[int, NDArray[np.int64]] = {image: np.unique(_known(ids, categories)) for image, ids in images.checks.items()}
    federated = images.absent.keys() | images.incomplete.keys()
    if federated:
        order = np.argsort(box_image, kind='stable')
        starts = np.searchsorted(box_image[order], np.arange(number + 1))
        for image in federated - own.keys():
            present = box_category[order[starts[image] : starts[image + 1]]]
            listed = np.union1d(present[present != UNKNOWN], _known(images.absent.get(image, []), categories))
            own[image] = np.setdiff1d(listed, _known(images.incomplete.get(image, []), categories)).astype(np.int64)
    has_own = np.zeros(number, dtype=bool)
    has_own[list(own)] = True
    empty = np.zeros(0, dtype=np.int64)
    rows = [own.get(image, empty) for image in range(number)] if own else []
    return has_own, PackedRows.from_lengths(
        np.concatenate(rows) if rows else empty, (len(row) for row in rows) if rows else [0] * number
    )
