"""Boxes for images that have a class but no boxes: a detector proposes, the image's class names (self-training, 2006.06882).

FLOD-9M (Florence, arXiv 2111.11432, section 2.4) holds pseudo boxes on ImageNet-22K "following Zoph et al. 2020" and says no
more. Here a folder of images per class is read in shards. Of an image the boxes from a score on are kept, whatever class the
detector gives them; overlapping ones are one object; all get the class of the folder. What the detector missed is not known, so
that the set is federated and nothing counts as checked. A shard is a COCO-style file, whole or absent: a run that was killed goes
on with the first shard that is absent, and gives the file of a run that was not.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from torchvision.ops import nms

from florence.atomic_files import write_json
from florence.data_engine.coco_writer import write_coco_file
from florence.data_engine.flod.class_folders import ClassFolder, FolderImage
from florence.datasets.detection_json import stream_members

Detections = dict[str, Any]
"""`boxes` (xyxy, pixels), `scores` and `classes` of one image, each a list."""


@dataclass(frozen=True)
class PseudoBoxRules:
    """Which proposals are kept.

    Attributes:
        min_score: Lowest score.
        max_per_image: The best so many boxes of an image.
        overlap: IoU from which two boxes of an image are one object.
        max_per_class: The best so many boxes of a class in the whole set; None: all.

    Raises:
        ValueError: If a number is out of range.
    """

    min_score: float = 0.5
    max_per_image: int = 20
    overlap: float = 0.6
    max_per_class: int | None = None

    def __post_init__(self) -> None:
        if self.max_per_image < 1 or (self.max_per_class is not None and self.max_per_class < 1):
            raise ValueError(f'boxes per image and per class must be at least 1, got {self.max_per_image}, {self.max_per_class}.')
        if not (0 <= self.min_score <= 1 and 0 <= self.overlap <= 1):
            raise ValueError(f'lowest score and overlap must lie in [0, 1], got {self.min_score} and {self.overlap}.')

    def kept(self, found: Detections) -> list[int]:
        """Indices of the boxes of an image that are kept, best first."""
        scores = torch.tensor(found['scores'], dtype=torch.float32)
        good = (scores >= self.min_score).nonzero()[:, 0]
        boxes = torch.tensor(found['boxes'], dtype=torch.float32).reshape(-1, 4)
        return good[nms(boxes[good], scores[good], self.overlap)][: self.max_per_image].tolist()


@dataclass(frozen=True)
class PseudoBoxRun:
    """One run over a tree of images.

    Attributes:
        out: Folder of the shards and of the result.
        root: Folder of the class folders.
        classes: Categories of the result, ids from 1.
        images: All images, in order.
        read: Path -> pixels; raises `ValueError` for a broken image.
        detect: Pixels of some images -> detections of each; raises `ValueError` for an image that it cannot take.
        detector: What found the boxes, for the record: any JSON object.
        rules: Which are kept.
        shard_size: Images of a shard.
        batch_size: Images detected at a time.

    Raises:
        ValueError: If a shard or a batch has no image.
    """

    out: Path
    root: Path
    classes: Sequence[ClassFolder]
    images: Sequence[FolderImage]
    read: Callable[[Path], np.ndarray]
    detect: Callable[[list[np.ndarray]], list[Detections]]
    detector: dict
    rules: PseudoBoxRules
    shard_size: int = 1000
    batch_size: int = 8

    def __post_init__(self) -> None:
        if self.shard_size < 1 or self.batch_size < 1:
            raise ValueError(f'shards and batches need at least one image, got {self.shard_size} and {self.batch_size}.')

    @property
    def num_shards(self) -> int:
        """How many files the images are split into."""
        return -(-len(self.images) // self.shard_size)

    def shard_path(self, shard: int) -> Path:
        """File of a shard."""
        return self.out / f'shard_{shard:06d}.json'

    def settle_plan(self) -> None:
        """Note what this run does, or check that the folder's shards are of the same.

        Raises:
            ValueError: If they are of another run.
        """
        names = hashlib.blake2b('\n'.join(image.name for image in self.images).encode(), digest_size=16).hexdigest()
        rules = {key: value for key, value in asdict(self.rules).items() if key != 'max_per_class'}
        plan = {'images': names, 'num_images': len(self.images), 'shard_size': self.shard_size, 'rules': rules}
        plan |= {'classes': [entry.name for entry in self.classes], 'detector': self.detector}
        path = self.out / 'plan.json'
        if not path.exists():
            write_json(path, plan)
            return
        before = json.loads(path.read_text())
        changed = [key for key in plan if before.get(key) != json.loads(json.dumps(plan[key]))]
        if changed:
            raise ValueError(f'{self.out} holds shards of another run ({", ".join(changed)} differ): choose another folder.')

    def run(self, part: int = 0, num_parts: int = 1) -> None:
        """Make the shards of this part that are not there.

        Args:
            part, num_parts: Several processes share the work, each makes every num_parts-th shard.
        """
        self.settle_plan()
        for shard in range(part, self.num_shards, num_parts):
            if not self.shard_path(shard).exists():
                self._make(shard)
                print_log(f'shard {shard + 1} of {self.num_shards} is written', logger='current')

    def _make(self, shard: int) -> None:
        images: list[dict] = []
        annotations: list[dict] = []
        bad: list[dict] = []
        first = shard * self.shard_size
        numbers = range(first, min(first + self.shard_size, len(self.images)))
        for start in range(0, len(numbers), self.batch_size):
            for number, pixels, found in self._detected(numbers[start : start + self.batch_size], bad):
                entry = self.images[number]
                height, width = pixels.shape[:2]
                images.append({'id': number + 1, 'file_name': entry.name, 'width': width, 'height': height, 'source': 'pseudo'})
                annotations += self._annotations(number, found, width, height)
        source = {'name': 'pseudo', 'category_ids': [], 'federated': True, 'detector': self.detector}
        write_coco_file(
            self.shard_path(shard),
            categories=self._categories(),
            sources=[source],
            images=images,
            annotations=annotations,
            bad_images=bad,
        )

    def _categories(self) -> Iterator[dict]:
        for number, entry in enumerate(self.classes, start=1):
            yield {'id': number, 'name': entry.name, 'folder': entry.folder, 'synonyms': list(entry.synonyms)}

    def _detected(self, numbers: Sequence[int], bad: list[dict]) -> Iterator[tuple[int, np.ndarray, Detections]]:
        """Detections of the images of a batch that can be used; the others are named in `bad`."""
        readable: list[tuple[int, np.ndarray]] = []
        for number in numbers:
            try:
                readable.append((number, self.read(self.root / self.images[number].name)))
            except ValueError as error:
                self._note_bad(number, error, bad)
        if not readable:
            return
        try:
            found: list[Detections | None] = list(self.detect([pixels for _, pixels in readable]))
        except ValueError:
            found = [self._one_by_one(number, pixels, bad) for number, pixels in readable]
        for (number, pixels), detections in zip(readable, found, strict=True):
            if detections is not None:
                yield number, pixels, detections

    def _one_by_one(self, number: int, pixels: np.ndarray, bad: list[dict]) -> Detections | None:
        try:
            return self.detect([pixels])[0]
        except ValueError as error:
            self._note_bad(number, error, bad)
            return None

    def _note_bad(self, number: int, error: ValueError, bad: list[dict]) -> None:
        name = self.images[number].name
        bad.append({'file_name': name, 'reason': str(error).replace(str(self.root), '').strip()})
        print_log(f'Bad image left out: {name}: {error}', logger='current')

    def _annotations(self, number: int, found: Detections, width: int, height: int) -> Iterator[dict]:
        for position, row in enumerate(self.rules.kept(found)):
            box = np.clip(found['boxes'][row], 0, [width, height, width, height])
            left, top, right, bottom = (round(float(value), 2) for value in box)
            yield {
                'id': number * self.rules.max_per_image + position + 1,
                'image_id': number + 1,
                'category_id': self.images[number].place + 1,
                'bbox': [left, top, round(right - left, 2), round(bottom - top, 2)],
                'area': round((right - left) * (bottom - top), 2),
                'iscrowd': 0,
                'score': round(float(found['scores'][row]), 5),
                'detected_as': found['classes'][row],
            }

    def merge(self, path: Path) -> dict[str, Any] | None:
        """Write all shards as one file, without the images that have no box; None while shards are absent.

        Returns:
            Counts of images and boxes, and the names of the bad images.
        """
        absent = sum(not self.shard_path(shard).exists() for shard in range(self.num_shards))
        if absent:
            print_log(f'{absent} of {self.num_shards} shards are still absent', logger='current')
            return None
        ids, kept = self._best_of_each_class()
        kept_ids = set(ids[kept].tolist())
        with_boxes = {(number - 1) // self.rules.max_per_image + 1 for number in kept_ids}
        write_coco_file(
            path,
            categories=self._categories(),
            sources=[{'name': 'pseudo', 'category_ids': [], 'federated': True, 'detector': self.detector}],
            images=(entry for entry in self._entries('images') if entry['id'] in with_boxes),
            annotations=(entry for entry in self._entries('annotations') if entry['id'] in kept_ids),
        )
        bad = [entry['file_name'] for entry in self._entries('bad_images')]
        return {
            'images': len(with_boxes),
            'images_without_boxes': len(self.images) - len(bad) - len(with_boxes),
            'bad_images': bad,
            'boxes': len(kept_ids),
            'boxes_over_max_per_class': len(ids) - len(kept_ids),
        }

    def _entries(self, member: str) -> Iterator[dict]:
        for shard in range(self.num_shards):
            for name, entry in stream_members(self.shard_path(shard)):
                if name == member:
                    yield entry

    def _best_of_each_class(self) -> tuple[np.ndarray, np.ndarray]:
        """Ids of all boxes, and which are among the best of their class; of equal scores the first counts as better."""
        table = [(entry['id'], entry['category_id'], -entry['score']) for entry in self._entries('annotations')]
        ids, categories, losses = np.array(table, dtype=np.float64).reshape(-1, 3).T
        order = np.lexsort((ids, losses, categories))
        sorted_categories = categories[order]
        rank = np.arange(len(ids)) - np.searchsorted(sorted_categories, sorted_categories)
        kept = np.ones(len(ids), dtype=bool)
        if self.rules.max_per_class is not None:
            kept[order] = rank < self.rules.max_per_class
        return ids.astype(np.int64), kept
