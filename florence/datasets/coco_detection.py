"""Boxes in COCO's format for mmdet's pipelines, read into arrays and checked (COCO, arXiv 1405.0312; federated sets, 1908.03195).

Differs from mmdet's CocoDataset: labels follow `classes` as given, else the category ids (mmdet: the order in the file, whatever
`classes` says); no pycocotools object and no dict per box is kept; faults of the file are counted and said once per kind; a
sample knows which classes were looked for in its image. mmdet's CocoMetric numbers classes by their order in the file: evaluate
with `florence.CocoDetectionMetric`, which goes by name.
"""

import copy
import logging
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from numpy.typing import NDArray

from florence.datasets.bad_samples import BadSampleGuard
from florence.datasets.detection_checks import fill_sizes, repair_boxes, require_files
from florence.datasets.detection_dirt import require_policy
from florence.datasets.detection_labels import label_classes, pick_few_shot
from florence.datasets.detection_reader import read_detection_table
from florence.datasets.detection_samples import GuardedSamples
from florence.datasets.detection_table import UNKNOWN
from florence.registry import DATASETS


@DATASETS.register_module()
class CocoDetection(GuardedSamples, BaseDataset):
    """Images with boxes from a COCO-style file: COCO, Objects365, LVIS, exports of Roboflow, a merged FLOD.

    A sample before the pipeline has `img_path`, `img_id`, `height`, `width`, `seg_map_path` (None), `sample_idx` and `instances`,
    a list of `bbox` (`xyxy`, pixels), `bbox_label`, `ignore_flag` and, where the file has them, `mask` and `score`; `classes`;
    for a federated file `checked_labels` too, the labels all of whose objects are boxed in this image (int64; None: every class),
    and for a file with scores `label_scores`, the mean score of the boxes of each label. `negative_weight` is there if
    `negative_weights` is given. Name those in `meta_keys` of `mmdet.PackDetInputs` to hand them to the model; steps that mix
    images (Mosaic) lose them.

    In training a sample whose image cannot be decoded is replaced, counted and named; in `test_mode` it raises.

    Args:
        ann_file: JSON file, relative to `data_root` or absolute.
        data_root: Folder that the other paths are relative to.
        img_prefix: Folder of the images, relative to `data_root`.
        classes: Names in the order of their labels; None: all of the file in the order of their ids. Boxes of others are
            left out.
        pipeline: Transforms, or their configs.
        test_mode: Evaluation: boxes stay as the file has them, no image is left out or replaced.
        filter_empty: Leave out images without a box of `classes`.
        min_size: Leave out images whose shorter side is below this, pixels.
        indices: Use only the first n images (int), or these.
        shots: Use only so many images of each class, see `pick_few_shot`.
        seed: Of the choice for `shots`.
        on_dirt: 'repair' or 'error': what happens when the file has faults.
        with_masks: Keep segmentations.
        negative_weights: By source name: weight of what looks like background in its images, 0 to 1; below 1 where boxes are
            missing.
        max_bad_share: Largest share of reads that may meet a broken image, in `[0, 1)`.
        min_samples_before_stop: Reads before that share is judged.
        metainfo: More entries for `metainfo`; its `classes` counts where `classes` is None.
        lazy_init: Read the annotations at first use.

    Raises:
        FileNotFoundError: If the annotation file or the images are missing.
        ValueError: If the file is cut short, lacks a class, has faults under `on_dirt='error'`, or no image or no box is left.
    """

    def __init__(
        self,
        ann_file: str,
        *,
        data_root: str = '',
        img_prefix: str = '',
        classes: Sequence[str] | None = None,
        pipeline: Sequence[dict | Callable] = (),
        test_mode: bool = False,
        filter_empty: bool = False,
        min_size: int = 0,
        indices: int | Sequence[int] | None = None,
        shots: int | None = None,
        seed: int = 0,
        on_dirt: str = 'repair',
        with_masks: bool = True,
        negative_weights: dict[str, float] | None = None,
        max_bad_share: float = 0.01,
        min_samples_before_stop: int = 100,
        metainfo: dict | None = None,
        lazy_init: bool = False,
    ) -> None:
        require_policy(on_dirt)
        if shots is not None and shots < 1:
            raise ValueError(f'shots must be at least 1, not {shots}.')
        if test_mode and (filter_empty or min_size or shots):
            raise ValueError('CocoDetection: test_mode evaluates every image; leave filter_empty, min_size and shots out.')
        self.classes = classes
        self.filter_empty, self.min_size = filter_empty, min_size
        self.shots, self.seed = shots, seed
        self.on_dirt, self.with_masks = on_dirt, with_masks
        self.negative_weights = negative_weights
        self.guard = BadSampleGuard(max_bad_share=max_bad_share, min_samples_before_stop=min_samples_before_stop)
        super().__init__(
            ann_file=str(ann_file),
            metainfo=metainfo,
            data_root=str(data_root),
            data_prefix={'img': str(img_prefix)},
            indices=indices,
            pipeline=list(pipeline),
            test_mode=test_mode,
            lazy_init=lazy_init,
        )

    def full_init(self) -> None:
        """Read and check the annotations, once.

        Raises:
            FileNotFoundError: If the annotation file or the images are missing.
            ValueError: If the file cannot be used; the message says why.
        """
        if self._fully_initialized:
            return
        table, dirt = read_detection_table(self.ann_file, with_masks=self.with_masks)
        folder = Path(self.data_prefix['img'])
        table = require_files(table, folder, dirt, test_mode=self.test_mode)
        fill_sizes(table, folder, dirt)
        table = repair_boxes(table, dirt, test_mode=self.test_mode)
        classes = self._metainfo.get('classes') if self.classes is None else self.classes
        self._metainfo['classes'], self._labels = label_classes(table, classes, dirt)
        dirt.settle(self.on_dirt)
        self.dirt = dict(dirt.counts)
        asked_for = self._labels[table.box_category] != UNKNOWN
        self._table = table.take_boxes(asked_for)
        self._require_boxes(len(asked_for))
        self._require_known_sources()
        self._order = self._choose_images()
        self._fully_initialized = True
        print_log(
            f'{self.ann_file}: {len(self._order)} of {table.num_images} images, {self._table.num_boxes} boxes of '
            f'{len(self._metainfo["classes"])} classes ({(~asked_for).sum()} boxes of other classes)',
            logger='current',
            level=logging.INFO,
        )

    def _require_boxes(self, num_of_any_class: int) -> None:
        # A file without annotations may have other faults: its images are a set, too.
        lost = {what: count for what, count in self.dirt.items() if what.startswith(('annotations', 'boxes'))}
        if self._table.num_boxes or not (num_of_any_class or lost):
            return
        reasons = [f'{count} {what}' for what, count in lost.items()]
        if num_of_any_class:
            reasons.append(
                f'{num_of_any_class} boxes of other classes than {", ".join(map(repr, self._metainfo["classes"][:5]))}'
            )
        raise ValueError(
            f'{self.ann_file}: no box is left of those in the file: {"; ".join(reasons)}. Check its annotations, their '
            'category_id and image_id, and `classes`.'
        )

    def _require_known_sources(self) -> None:
        names = {source.name for source in self._table.sources}
        for name, weight in (self.negative_weights or {}).items():
            if not 0 <= weight <= 1:
                raise ValueError(f'negative_weights must lie in [0, 1], {name!r} has {weight}.')
            if name not in names:
                known = ', '.join(sorted(map(repr, names)))
                raise ValueError(f'negative_weights names source {name!r}, {self.ann_file} has {known}.')

    def _choose_images(self) -> NDArray[np.int64]:
        table = self._table
        usable = table.sizes.min(axis=1) >= self.min_size
        if self.filter_empty:
            usable &= np.diff(table.starts) > 0
        order = np.flatnonzero(usable)
        if self.shots is not None:
            few = pick_few_shot(table, self._labels, len(self._metainfo['classes']), self.shots, self.seed)
            order = np.intersect1d(order, few)
        if self._indices is not None:
            order = self._picked(order, self._indices)
        if not len(order):
            raise ValueError(
                f'{self.ann_file}: none of its {table.num_images} images is left; check classes, min_size and indices.'
            )
        return order

    def _picked(self, order: NDArray[np.int64], indices: int | Sequence[int]) -> NDArray[np.int64]:
        if isinstance(indices, int):
            return order[:indices]
        if len(indices) and not -len(order) <= min(indices) <= max(indices) < len(order):
            raise ValueError(f'indices reach from {min(indices)} to {max(indices)}, {self.ann_file} has {len(order)} samples.')
        return order[list(indices)]

    def __len__(self) -> int:
        self.full_init()
        return len(self._order)

    def get_data_info(self, idx: int) -> dict:
        """Annotation of one sample, ready for the pipeline."""
        self.full_init()
        idx = range(len(self._order))[idx]
        table, image = self._table, int(self._order[idx])
        rows = table.boxes_of(image)
        labels = self._labels[table.box_category[rows]]
        width, height = table.sizes[image].tolist()
        info = {
            'img_path': str(Path(self.data_prefix['img']) / table.file_names.text(image)),
            'img_id': table.image_ids[image].item(),
            'seg_map_path': None,
            'height': height,
            'width': width,
            'sample_idx': idx,
            'instances': self._instances(rows, labels),
            'classes': self._metainfo['classes'],
        }
        if table.is_federated:
            checked = table.checked_in(image)
            info['checked_labels'] = checked if checked is None else _known_labels(self._labels[checked])
        if self.negative_weights is not None:
            info['negative_weight'] = self.negative_weights.get(table.sources[table.image_source[image]].name, 1.0)
        if table.scores is not None:
            info['label_scores'] = _mean_scores(labels, table.scores[rows])
        return info

    def _instances(self, rows: slice, labels: NDArray) -> list[dict]:
        table = self._table
        ignored = table.is_crowd[rows] if self.test_mode else table.is_crowd[rows] | table.is_ignored[rows]
        instances = [
            {'bbox': box, 'bbox_label': label, 'ignore_flag': flag}
            for box, label, flag in zip(table.boxes[rows].tolist(), labels.tolist(), ignored.astype(int).tolist(), strict=True)
        ]
        for row, instance in zip(range(rows.start, rows.stop), instances, strict=True):
            if table.masks is not None and len(table.masks[row]):
                instance['mask'] = pickle.loads(table.masks[row].tobytes())
            if table.scores is not None and not np.isnan(table.scores[row]):
                instance['score'] = float(table.scores[row])
        return instances

    def get_cat_ids(self, idx: int) -> list[int]:
        """Labels of the boxes of one sample, for class-balanced sampling."""
        self.full_init()
        return self._labels[self._table.box_category[self._table.boxes_of(int(self._order[idx]))]].tolist()

    def get_subset_(self, indices: int | Sequence[int]) -> None:
        """Keep the first n samples (int), or these."""
        self.full_init()
        self._order = self._picked(self._order, indices)

    def get_subset(self, indices: int | Sequence[int]) -> 'CocoDetection':
        """A set of the first n samples (int), or of these; the arrays are shared."""
        self.full_init()
        subset = copy.copy(self)
        subset.get_subset_(indices)
        return subset


def _known_labels(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(labels[labels != UNKNOWN])


def _mean_scores(labels: NDArray, scores: NDArray) -> dict[int, float]:
    """Mean score of the boxes of each label; a box without one is a human's and counts 1."""
    scores = np.nan_to_num(scores, nan=1.0)
    return {int(label): float(scores[labels == label].mean()) for label in np.unique(labels)}
