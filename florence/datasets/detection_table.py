"""Boxes of a COCO-style file as arrays: categories, images, annotations, and which classes were looked for in which image.

Read from any file in COCO form (arXiv 1405.0312): COCO, Objects365, LVIS, exports of Roboflow, or a merged set of
`florence.data_engine.flod`. Fields beyond COCO's that are understood:

- file: `sources`, a list of `name`, `category_ids`, `federated`: the sets that the file was merged from, and the classes that
  each boxes in all its images;
- image: `source`, name of its source; `checked_category_ids`, the classes all of whose objects are boxed in this image, where
  they differ from those of the source;
- image, LVIS (arXiv 1908.03195, section 3.1): `neg_category_ids`, verified absent; `not_exhaustive_category_ids`, some objects
  not boxed; `coco_url`, whose last two parts stand in for a missing `file_name`;
- annotation: `score`, confidence of a pseudo box; `ignore`, as `iscrowd` in training.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from florence.datasets.detection_storage import PackedRows

UNKNOWN = -1
"""Index of an image or a category that the file does not list."""


@dataclass(frozen=True)
class Source:
    """A set that images of a file come from.

    Attributes:
        name: What `image['source']` says.
        checked: Indices of the categories all of whose objects are boxed in every image of this source; None: all of them.
    """

    name: str
    checked: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Categories:
    """The C categories of a file, in the order of their ids.

    Attributes:
        ids: `(C,)`, ascending, unique.
        names: C names.
        file_order: Place of each in the file, `(C,)`.
        synonyms: Other names of each, as LVIS gives them.
        supercategories: Name of the group of each; empty where there is none.
    """

    ids: NDArray[np.int64]
    names: tuple[str, ...]
    file_order: NDArray[np.int64]
    synonyms: tuple[tuple[str, ...], ...]
    supercategories: tuple[str, ...]


@dataclass(frozen=True)
class DetectionTable:
    """N images and M boxes; the boxes of an image lie side by side, in the order of the file.

    Attributes:
        path: File they were read from.
        categories: The C categories.
        image_ids: `(N,)` int64 or text.
        file_names: N rows of UTF-8.
        sizes: Width and height in pixels, `(N, 2)`; 0 = the file does not say.
        image_source: Index into `sources`, `(N,)`.
        sources: Where the images come from.
        has_own_check: Whether the image lists its checked classes itself, `(N,)`.
        own_check: Category indices of each image that does, N rows.
        box_ids: Ids of the annotations, `(M,)`; `UNKNOWN` where there is none.
        box_image: Index of the image, `(M,)`, ascending.
        box_category: Index of the category, `(M,)`.
        boxes: `xyxy` in pixels, `(M, 4)` float32, as in the file: nothing is clipped.
        is_crowd, is_ignored: Fields `iscrowd` and `ignore`, `(M,)`.
        scores: `(M,)` float32, NaN where there is none; None: no box has a score.
        masks: Pickled `segmentation` of each box, M rows, empty where there is none; None: not read.
        num_masks_left: Annotations with a `segmentation` that was not read.
    """

    path: str
    categories: Categories
    image_ids: NDArray
    file_names: PackedRows
    sizes: NDArray[np.int32]
    image_source: NDArray[np.int16]
    sources: tuple[Source, ...]
    has_own_check: NDArray[np.bool_]
    own_check: PackedRows
    box_ids: NDArray[np.int64]
    box_image: NDArray[np.int32]
    box_category: NDArray[np.int32]
    boxes: NDArray[np.float32]
    is_crowd: NDArray[np.bool_]
    is_ignored: NDArray[np.bool_]
    scores: NDArray[np.float32] | None = None
    masks: PackedRows | None = None
    num_masks_left: int = 0
    starts: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        assert (np.diff(self.box_image) >= 0).all()
        object.__setattr__(self, 'starts', np.searchsorted(self.box_image, np.arange(self.num_images + 1)))

    @property
    def num_images(self) -> int:
        """N."""
        return len(self.image_ids)

    @property
    def num_boxes(self) -> int:
        """M."""
        return len(self.box_image)

    def boxes_of(self, image: int) -> slice:
        """Where the boxes of an image lie."""
        return slice(int(self.starts[image]), int(self.starts[image + 1]))

    def checked_in(self, image: int) -> NDArray[np.int64] | None:
        """Indices of the categories all of whose objects are boxed in an image; None: all of them."""
        if self.has_own_check[image]:
            return self.own_check[image]
        return self.sources[self.image_source[image]].checked

    @property
    def is_federated(self) -> bool:
        """Whether some image was checked for some of the categories only."""
        return bool(self.has_own_check.any()) or any(source.checked is not None for source in self.sources)

    def take_boxes(self, rows: NDArray) -> 'DetectionTable':
        """The table with these boxes only.

        Args:
            rows: A mask `(M,)`, or ascending indices.
        """
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        return replace(
            self,
            **{name: getattr(self, name)[rows] for name in BOX_COLUMNS},
            scores=None if self.scores is None else self.scores[rows],
            masks=None if self.masks is None else self.masks.take(rows),
        )

    def take_images(self, rows: NDArray) -> 'DetectionTable':
        """The table with these images, in this order, and their boxes.

        Args:
            rows: A mask `(N,)`, or indices without repetition.
        """
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        place = np.full(self.num_images, UNKNOWN, dtype=np.int32)
        place[rows] = np.arange(len(rows), dtype=np.int32)
        new_image = place[self.box_image]
        kept = np.flatnonzero(new_image != UNKNOWN)
        order = kept[np.argsort(new_image[kept], kind='stable')]
        return replace(
            self,
            **{name: getattr(self, name)[rows] for name in IMAGE_COLUMNS},
            file_names=self.file_names.take(rows),
            own_check=self.own_check.take(rows),
            **{name: getattr(self, name)[order] for name in BOX_COLUMNS if name != 'box_image'},
            box_image=new_image[order],
            scores=None if self.scores is None else self.scores[order],
            masks=None if self.masks is None else self.masks.take(order),
        )


IMAGE_COLUMNS = ('image_ids', 'sizes', 'image_source', 'has_own_check')
BOX_COLUMNS = ('box_ids', 'box_image', 'box_category', 'boxes', 'is_crowd', 'is_ignored')
