"""OpenImages (arXiv 1811.00982) from its official tables: boxes, class descriptions and verified image labels.

Boxes come as shares of an image's size, which no table gives: it is read from the head of the image. A class is checked in an
image where a person verified its label, present or absent: present ones are boxed completely but for groups, which become crowds.
A class that was not verified is unknown there, the broader ones of a boxed class too. Images without any box are left out.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from florence.datasets.detection_checks import image_size
from florence.datasets.detection_dirt import Dirt
from florence.datasets.detection_reader import table_of_members
from florence.datasets.detection_table import UNKNOWN, DetectionTable

BOX_FIELDS = ('ImageID', 'LabelName', 'XMin', 'XMax', 'YMin', 'YMax')


def read_open_images(files: Sequence[str | Path], image_folder: str | Path) -> tuple[DetectionTable, Dirt]:
    """The boxes of one split.

    Args:
        files: The tables of boxes, of class descriptions and, where there is one, of verified image labels, in any order.
        image_folder: Folder of `<ImageID>.jpg`.

    Raises:
        FileNotFoundError: If a table is missing.
        ValueError: If the tables are not those.
    """
    kinds = {kind_of(Path(file)): Path(file) for file in files}
    if not {'boxes', 'classes'} <= kinds.keys() or len(kinds) != len(files):
        raise ValueError(
            f'OpenImages needs a table of boxes and one of class descriptions, and may have one of verified labels; '
            f'{", ".join(map(str, files))} are {", ".join(sorted(kinds))}.'
        )
    gone: dict[str, int] = {}
    table, dirt = table_of_members(str(kinds['boxes']), _members(kinds, Path(image_folder), gone))
    dirt.add('images without a readable file left out', len(gone), next(iter(gone), ''))
    dirt.add('boxes of those images left out', sum(gone.values()), next(iter(gone), ''))
    return table, dirt


def kind_of(file: Path) -> str:
    """'boxes', 'labels' or 'classes', by the head of a table.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is none of the three.
    """
    if not file.is_file():
        raise FileNotFoundError(f'no table at {file}.')
    with file.open(newline='', encoding='utf-8') as lines:
        head = next(csv.reader(lines), [])
    if set(BOX_FIELDS) <= set(head):
        return 'boxes'
    if {'ImageID', 'LabelName', 'Confidence'} <= set(head):
        return 'labels'
    if len(head) == 2:
        return 'classes'
    raise ValueError(f'{file} is no table of OpenImages: its first line is {", ".join(head)[:80]!r}.')


def _members(kinds: dict[str, Path], folder: Path, gone: dict[str, int]) -> Iterator[tuple[str, Any]]:
    with kinds['classes'].open(newline='', encoding='utf-8') as lines:
        rows = [row for row in csv.reader(lines) if len(row) == 2 and row[0] != 'LabelName']
    ids = {machine_id: number for number, (machine_id, _) in enumerate(rows, start=1)}
    for machine_id, name in rows:
        yield 'categories', {'id': ids[machine_id], 'name': name}
    sizes: dict[str, tuple[int, int]] = {}
    boxed: dict[str, set[int]] = defaultdict(set)
    with kinds['boxes'].open(newline='', encoding='utf-8') as lines:
        for row in csv.DictReader(lines):
            image = row['ImageID']
            if image not in sizes and image not in gone:
                try:
                    sizes[image] = image_size(folder / f'{image}.jpg')
                except OSError:
                    gone[image] = 0
            if image in gone:
                gone[image] += 1
                continue
            category = ids.get(row['LabelName'], UNKNOWN)
            boxed[image].add(category)
            yield 'annotations', _annotation(row, category, *sizes[image])
    checked = _verified(kinds['labels'], ids, sizes) if 'labels' in kinds else boxed
    for image, (width, height) in sizes.items():
        ids_here = sorted(checked.get(image, set()) - {UNKNOWN})
        entry = {'id': image, 'file_name': f'{image}.jpg', 'width': width, 'height': height, 'checked_category_ids': ids_here}
        yield 'images', entry


def _annotation(row: dict[str, str], category: int, width: int, height: int) -> dict:
    left, right, top, bottom = (float(row[name] or 'nan') for name in ('XMin', 'XMax', 'YMin', 'YMax'))
    return {
        'image_id': row['ImageID'],
        'category_id': category,
        'bbox': [left * width, top * height, (right - left) * width, (bottom - top) * height],
        'iscrowd': int(row.get('IsGroupOf') == '1'),
    }


def _verified(file: Path, ids: dict[str, int], wanted: dict) -> dict[str, set[int]]:
    """Classes of each image that a person judged."""
    judged: dict[str, set[int]] = defaultdict(set)
    with file.open(newline='', encoding='utf-8') as lines:
        for row in csv.DictReader(lines):
            is_human = row.get('Source', 'verification') != 'machine'
            if is_human and row['LabelName'] in ids and row['ImageID'] in wanted:
                judged[row['ImageID']].add(ids[row['LabelName']])
    return judged
