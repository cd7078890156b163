"""Columns of a COCO-style file while it is read, entry by entry, and its categories."""

import contextlib
import pickle
from array import array

import numpy as np
from numpy.typing import NDArray

from florence.datasets.detection_storage import ByteRows
from florence.datasets.detection_table import UNKNOWN, Categories

NAN_BOX = (float('nan'),) * 4


class IdColumn:
    """A column of ids, all numbers or all texts."""

    def __init__(self, path: str, what: str) -> None:
        self.path, self.what = path, what
        self.values: array | list = array('q')

    def append(self, value: int | str) -> None:
        """Add one id.

        Raises:
            ValueError: If it is of another kind than the ones before.
        """
        if not self.values and isinstance(value, str):
            self.values = []
        if not isinstance(value, str if isinstance(self.values, list) else int):
            raise ValueError(f'{self.path}: {self.what} must be all numbers or all texts, found {value!r} among others.')
        self.values.append(value)

    def column(self) -> NDArray:
        """All ids, int64 or text."""
        return np.array(self.values) if isinstance(self.values, list) else np.frombuffer(self.values, dtype=np.int64)


class ImageColumns:
    """Columns of the images."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.ids = IdColumn(path, 'image ids')
        self.names = ByteRows()
        self.sizes = array('i')
        self.sources: list[str] = []
        self.checks: dict[int, list[int]] = {}
        self.absent: dict[int, list[int]] = {}
        self.incomplete: dict[int, list[int]] = {}

    def add(self, image: dict) -> None:
        """Add one entry of `images`.

        Raises:
            ValueError: If it has no id or no file name.
        """
        if not isinstance(image, dict) or 'id' not in image:
            raise ValueError(f'{self.path}: an image has no id: {str(image)[:80]}.')
        number = len(self.sizes) // 2
        name = image.get('file_name') or '/'.join(image.get('coco_url', '').split('/')[-2:])
        if not name:
            raise ValueError(f'{self.path}: image {image["id"]} has neither file_name nor coco_url.')
        self.ids.append(image['id'])
        self.names.append(name.encode('utf-8'))
        try:
            self.sizes.extend((int(image.get('width') or 0), int(image.get('height') or 0)))
        except ValueError as error:
            raise ValueError(f'{self.path}: width and height of image {image["id"]} must be numbers: {error}.') from error
        self.sources.append(str(image.get('source', '')))
        for field, column in (
            ('checked_category_ids', self.checks),
            ('neg_category_ids', self.absent),
            ('not_exhaustive_category_ids', self.incomplete),
        ):
            if field in image:
                column[number] = image[field]


class BoxColumns:
    """Columns of the annotations."""

    def __init__(self, path: str, with_masks: bool) -> None:
        self.path = path
        self.images = IdColumn(path, 'image ids of annotations')
        self.categories, self.ids, self.boxes = array('q'), array('q'), array('d')
        self.flags = bytearray()
        self.scores: dict[int, float] = {}
        self.masks = ByteRows() if with_masks else None
        self.num_masks = 0

    def add(self, annotation: dict) -> None:
        """Add one entry of `annotations`; a box that is no four numbers becomes NaN.

        Raises:
            ValueError: If it lacks image, category or box.
        """
        try:
            self.images.append(annotation['image_id'])
            self.categories.append(annotation['category_id'])
            box = annotation['bbox']
        except (KeyError, TypeError) as error:
            field = error.args[0] if isinstance(error, KeyError) else 'a numeric category_id'
            raise ValueError(
                f'{self.path}: annotation {len(self.flags) + 1} has no {field}: expected image_id, category_id and bbox.'
            ) from error
        number = len(self.flags)
        own_id = annotation.get('id', UNKNOWN)
        self.ids.append(own_id if isinstance(own_id, int) else UNKNOWN)
        with contextlib.suppress(TypeError):
            self.boxes.extend(box)
        if len(self.boxes) != 4 * number + 4:
            del self.boxes[4 * number :]
            self.boxes.extend(NAN_BOX)
        self.flags.append(bool(annotation.get('iscrowd')) | bool(annotation.get('ignore')) << 1)
        if annotation.get('score') is not None:
            if not isinstance(annotation['score'], int | float):
                raise TypeError(f'score must be a number, not {annotation["score"]!r}')
            self.scores[number] = annotation['score']
        mask = annotation.get('segmentation')
        self.num_masks += bool(mask)
        if self.masks is not None:
            self.masks.append(pickle.dumps(mask) if mask else b'')


def read_categories(entries: list[dict], path: str) -> Categories:
    """The categories of a file in the order of their ids.

    Raises:
        ValueError: If one has no numeric id or no name, or two share an id.
    """
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get('id'), int) or not str(entry.get('name', '')).strip():
            raise ValueError(f'{path}: every category needs a numeric id and a name, found {str(entry)[:80]}.')
    ids = [entry['id'] for entry in entries]
    if len(set(ids)) < len(ids):
        twice = next(number for number in ids if ids.count(number) > 1)
        raise ValueError(f'{path}: category id {twice} is given to several categories: give each its own id.')
    order = sorted(range(len(entries)), key=ids.__getitem__)
    return Categories(
        ids=np.array([ids[place] for place in order], dtype=np.int64),
        names=tuple(str(entries[place]['name']) for place in order),
        file_order=np.array(order, dtype=np.int64),
        synonyms=tuple(tuple(entries[place].get('synonyms') or ()) for place in order),
        supercategories=tuple(str(entries[place].get('supercategory', '')) for place in order),
    )
