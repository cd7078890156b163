"""Several detection sets as one: one taxonomy, every image once, and what each image was checked for.

The result is a COCO file with `sources` and, in images, `source` and `checked_category_ids`, as
`florence.datasets.detection_table` describes them. Boxes only: segmentations are left out and counted. An image that several sets
annotate (LVIS relabels COCO's) takes the boxes of all of them; a later set's box of the same class over an earlier one's is the
same object and is left out. It was checked for whatever any of the sets checked in it.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from florence.data_engine.flod.taxonomy import SourceClass, Taxonomy, build_taxonomy
from florence.datasets.detection_dirt import Dirt
from florence.datasets.detection_table import DetectionTable

IDENTITIES = ('path', 'file', 'content')


@dataclass(frozen=True)
class FlodSource:
    """A set to merge.

    Attributes:
        name: In the merged file and the report.
        table: Its boxes, repaired.
        dirt: What was repaired.
        prefix: Folder of its images, as the merged file writes it before their names.
    """

    name: str
    table: DetectionTable
    dirt: Dirt
    prefix: str

    def file_name(self, image: int) -> str:
        """Name of an image in the merged file."""
        return os.path.normpath(os.path.join(self.prefix, self.table.file_names.text(image)))


def image_key(path: str, root: Path, identity: str) -> object:
    """What two entries of the same image share.

    Args:
        path: Name of the image, relative to `root`.
        root: Where names begin.
        identity: 'path': the same name; 'file': also links to the same file; 'content': also copies with the same bytes.

    Raises:
        OSError: If the image must be read and is not there.
    """
    if identity == 'path':
        return path
    if identity == 'file':
        stat = os.stat(root / path)
        return stat.st_dev, stat.st_ino
    return hashlib.blake2b((root / path).read_bytes(), digest_size=16).digest()


@dataclass
class MergedSet:
    """The merged set, ready to be written.

    Attributes:
        sources: What was merged.
        taxonomy: The joined classes.
        maps: For each source the joined class of each of its categories.
        entries: For each image its (source, image) pairs, the first of which names it.
        duplicate_iou: Overlap from which two sets' boxes of one class are one object.
        counts: Of the report; complete once the annotations have been read through.
    """

    sources: Sequence[FlodSource]
    taxonomy: Taxonomy
    maps: list[NDArray[np.int64]]
    entries: list[list[tuple[int, int]]]
    duplicate_iou: float
    counts: dict[str, int] = field(default_factory=dict)

    def categories(self) -> Iterator[dict]:
        """Entries of `categories`; ids count from 1."""
        for number, joined in enumerate(self.taxonomy.classes, start=1):
            members = [{'source': self.sources[item.source].name, 'name': item.name} for item in joined.members]
            yield {'id': number, 'name': joined.name, 'members': members}

    def source_entries(self) -> Iterator[dict]:
        """Entries of `sources`."""
        for number, source in enumerate(self.sources):
            for inner in source.table.sources:
                checked = self._to_joined(number, inner.checked)
                is_federated = source.table.is_federated or inner.checked is not None
                yield {'name': _joint_name(source, inner.name), 'category_ids': checked, 'federated': is_federated}

    def _to_joined(self, source: int, checked: NDArray | None) -> list[int]:
        joined = self.maps[source] if checked is None else self.maps[source][checked]
        return (np.unique(joined) + 1).tolist()

    def images(self) -> Iterator[dict]:
        """Entries of `images`, in the order of the sources."""
        for number, entries in enumerate(self.entries, start=1):
            first, row = entries[0]
            source = self.sources[first]
            width, height = source.table.sizes[row].tolist()
            inner = source.table.sources[source.table.image_source[row]].name
            image = {'id': number, 'file_name': source.file_name(row), 'width': width, 'height': height}
            image['source'] = _joint_name(source, inner)
            if len(entries) > 1:
                image['merged_from'] = list(dict.fromkeys(self.sources[other].name for other, _ in entries))
            if len(entries) > 1 or source.table.has_own_check[row]:
                parts = [self._to_joined(other, self.sources[other].table.checked_in(place)) for other, place in entries]
                image['checked_category_ids'] = sorted(set().union(*parts))
            yield image

    def annotations(self) -> Iterator[dict]:
        """Entries of `annotations`; counts boxes and duplicates on the way."""
        self.counts.update(boxes=0, duplicate_boxes=0)
        for number, entries in enumerate(self.entries, start=1):
            classes, boxes = np.zeros(0, np.int64), np.zeros((0, 4), np.float32)
            for source, row in entries:
                table = self.sources[source].table
                rows = table.boxes_of(row)
                own_classes = self.maps[source][table.box_category[rows]]
                is_duplicate = _covered(table.boxes[rows], own_classes, boxes, classes, self.duplicate_iou)
                self.counts['duplicate_boxes'] += int(is_duplicate.sum())
                for place in np.flatnonzero(~is_duplicate):
                    self.counts['boxes'] += 1
                    yield self._annotation(source, rows.start + int(place), number, int(own_classes[place]))
                classes = np.concatenate([classes, own_classes])
                boxes = np.concatenate([boxes, table.boxes[rows]])

    def _annotation(self, source: int, row: int, image: int, joined: int) -> dict:
        table = self.sources[source].table
        left, top, right, bottom = (round(value, 3) for value in table.boxes[row].tolist())
        annotation = {
            'id': self.counts['boxes'],
            'image_id': image,
            'category_id': joined + 1,
            'bbox': [left, top, round(right - left, 3), round(bottom - top, 3)],
            'area': round((right - left) * (bottom - top), 3),
            'iscrowd': int(table.is_crowd[row]),
        }
        if table.is_ignored[row]:
            annotation['ignore'] = 1
        if table.scores is not None and not np.isnan(table.scores[row]):
            annotation['score'] = round(float(table.scores[row]), 5)
        return annotation


def _joint_name(source: FlodSource, inner: str) -> str:
    """Name of a source; one that was merged itself keeps apart what it was merged from."""
    return f'{source.name}/{inner}' if len(source.table.sources) > 1 else source.name


def _covered(boxes: NDArray, classes: NDArray, earlier: NDArray, earlier_classes: NDArray, threshold: float) -> NDArray[np.bool_]:
    """Which boxes lie on an earlier one of their class."""
    if not len(boxes) or not len(earlier):
        return np.zeros(len(boxes), dtype=bool)
    low = np.maximum(boxes[:, None, :2], earlier[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], earlier[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)  # (new, earlier)
    areas, earlier_areas = ((box[:, 2:] - box[:, :2]).prod(axis=1) for box in (boxes, earlier))
    overlap = shared / (areas[:, None] + earlier_areas[None] - shared)
    return ((overlap > threshold) & (classes[:, None] == earlier_classes[None])).any(axis=1)


def merge_sources(
    sources: Sequence[FlodSource],
    *,
    root: Path,
    identity: str = 'path',
    duplicate_iou: float = 0.7,
    same: Callable[[list[SourceClass]], list[tuple[SourceClass, SourceClass]]] | None = None,
) -> MergedSet:
    """Join classes and images.

    Args:
        sources: In the order in which they name classes and images.
        root: Where the merged file's image names begin.
        identity: When two entries are the same image, see `image_key`.
        duplicate_iou: Overlap from which two sets' boxes of one class are one object.
        same: From all classes the pairs that the user says are one.

    Raises:
        ValueError: If two sources have one name, or an option is unknown.
    """
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise ValueError(f'every source needs a name of its own, got {", ".join(names)}.')
    if identity not in IDENTITIES:
        raise ValueError(f'identity must be one of {", ".join(IDENTITIES)}, not {identity!r}.')
    classes = [
        SourceClass(number, place, name, synonyms)
        for number, source in enumerate(sources)
        for place, (name, synonyms) in enumerate(
            zip(source.table.categories.names, source.table.categories.synonyms, strict=True)
        )
    ]
    taxonomy = build_taxonomy(classes, same(classes) if same else ())
    maps = taxonomy.maps([len(source.table.categories.names) for source in sources])
    entries: list[list[tuple[int, int]]] = []
    place_of: dict[object, int] = {}
    for number, source in enumerate(sources):
        for image in range(source.table.num_images):
            key = image_key(source.file_name(image), root, identity)
            place = place_of.setdefault(key, len(entries))
            if place == len(entries):
                entries.append([])
            entries[place].append((number, image))
    return MergedSet(sources, taxonomy, [np.array(own, dtype=np.int64) for own in maps], entries, duplicate_iou)
