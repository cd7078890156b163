"""Objects and detections of a whole data set as flat arrays: what the evaluation of boxes and masks reads.

Images and classes are dense indices: image i is the i-th smallest image id, class k the k-th smallest category id. Boxes are
`xywh` in pixels of the original image.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class GroundTruth:
    """`G` annotated objects, in the order of their file (it decides between equal overlaps).

    Attributes:
        images: Image of each object, `(G,)`.
        classes: Class of each object, `(G,)`.
        boxes: `xywh`, `(G, 4)` float64.
        areas: Area that puts an object into a size range, pixels, `(G,)`; of a mask where the file has masks.
        crowd: Regions with many objects, `(G,)` bool: never counted, match any number of detections, and the overlap is divided
            by the detection's area.
        ignored: Single objects that do not count, `(G,)` bool; None = none.
        masks: Run-length encodings, for `iou_type='segm'`.
    """

    images: np.ndarray
    classes: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray
    crowd: np.ndarray
    ignored: np.ndarray | None = None
    masks: list | None = None

    def __post_init__(self) -> None:
        _check_lengths(self, len(self.images), ('classes', 'boxes', 'areas', 'crowd', 'ignored', 'masks'))

    def select(self, keep: np.ndarray) -> 'GroundTruth':
        """Those of a mask `(G,)` or of indices."""
        return GroundTruth(**_taken(self, keep))


@dataclass(frozen=True)
class Detections:
    """`D` detections, in the order of the results (it decides between equal scores).

    Attributes:
        images: Image of each detection, `(D,)`.
        classes: Class of each detection, `(D,)`.
        boxes: `xywh`, `(D, 4)` float64.
        scores: Larger is surer, `(D,)`.
        forgiven: Detections that are not wrong where they match nothing, `(D,)` bool (LVIS: classes that are not annotated
            exhaustively in the image); None = none.
        masks: Run-length encodings, for `iou_type='segm'`.
    """

    images: np.ndarray
    classes: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    forgiven: np.ndarray | None = None
    masks: list | None = None

    def __post_init__(self) -> None:
        _check_lengths(self, len(self.images), ('classes', 'boxes', 'scores', 'forgiven', 'masks'))

    def select(self, keep: np.ndarray) -> 'Detections':
        """Those of a mask `(D,)` or of indices."""
        return Detections(**_taken(self, keep))


def _check_lengths(holder: object, length: int, names: tuple[str, ...]) -> None:
    for name in names:
        value = getattr(holder, name)
        if value is not None and len(value) != length:
            raise ValueError(f'{type(holder).__name__}.{name} has {len(value)} entries, expected {length} as in `images`.')


def _taken(holder: GroundTruth | Detections, keep: np.ndarray) -> dict:
    indices = np.flatnonzero(keep) if keep.dtype == bool else keep
    result = {}
    for name, value in vars(holder).items():
        is_list = isinstance(value, list)
        result[name] = [value[index] for index in indices] if is_list else None if value is None else value[indices]
    return result
