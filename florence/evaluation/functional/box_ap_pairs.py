"""Detections ranked within their cell (a class in an image), and their overlaps with the objects of the same cell.

The floats are those of pycocotools' C code, operation by operation: an overlap just at a threshold falls on the same side.
"""

from dataclasses import dataclass

import numpy as np

from florence.evaluation.functional.box_ap_inputs import Detections, GroundTruth

PAIRS_AT_ONCE = 1 << 17  # few enough for the processor's cache


@dataclass(frozen=True)
class Ranked:
    """Detections in the order (class, image, score descending, input), at most so many per cell.

    Attributes:
        index: Where each was in the input, `(D,)`.
        cells: `class * num_images + image`, `(D,)`.
        ranks: Place within the cell, from 0, `(D,)`.
    """

    index: np.ndarray
    cells: np.ndarray
    ranks: np.ndarray


@dataclass(frozen=True)
class Edges:
    """Pairs of a detection and an object of one cell that overlap enough for the lowest threshold.

    Attributes:
        detections: Position in `Ranked`, ascending, `(E,)`.
        objects: Position in the objects sorted by cell, `(E,)`.
        overlaps: IoU, `(E,)` float64.
    """

    detections: np.ndarray
    objects: np.ndarray
    overlaps: np.ndarray


def rank(detections: Detections, num_images: int, max_dets: int | None) -> Ranked:
    """Rank detections within their cells; equal scores keep the order of the input."""
    by_score = np.argsort(-detections.scores, kind='stable')
    cells = (detections.classes.astype(np.int64) * num_images + detections.images)[by_score]
    by_cell = np.argsort(cells, kind='stable')
    index, cells = by_score[by_cell], cells[by_cell]
    ranks = np.arange(len(cells)) - np.searchsorted(cells, cells)
    if max_dets is not None:
        keep = ranks < max_dets
        index, cells, ranks = index[keep], cells[keep], ranks[keep]
    return Ranked(index, cells, ranks)


def find_edges(
    truth: GroundTruth, truth_cells: np.ndarray, detections: Detections, ranked: Ranked, lowest: float, iou_type: str
) -> Edges:
    """Overlaps of at least `lowest`.

    Args:
        truth: Objects sorted by cell.
        truth_cells: Their cells, `(G,)`.
        detections: As they came in.
        ranked: The same, ranked.
        lowest: Least IoU that counts.
        iou_type: `'bbox'` or `'segm'`.
    """
    first = np.searchsorted(truth_cells, ranked.cells, 'left')
    counts = np.searchsorted(truth_cells, ranked.cells, 'right') - first
    with_objects = np.flatnonzero(counts)
    first, counts = first[with_objects], counts[with_objects]
    ends = np.cumsum(counts)
    overlaps_of = _mask_overlaps if iou_type == 'segm' else _box_overlaps
    parts, start = [], 0
    while start < len(ends):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + PAIRS_AT_ONCE, 'right')))
        own = counts[start:stop]
        dets = np.repeat(with_objects[start:stop], own)
        within = np.arange(len(dets)) - np.repeat(ends[start:stop] - own - done, own)
        objects = within + np.repeat(first[start:stop], own)
        overlaps = overlaps_of(truth, detections, objects, ranked.index[dets])
        enough = np.flatnonzero(overlaps >= lowest)
        parts.append((dets[enough], objects[enough], overlaps[enough]))
        start = stop
    if not parts:
        return Edges(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    return Edges(*(np.concatenate(column) for column in zip(*parts)))


def _box_overlaps(truth: GroundTruth, detections: Detections, objects: np.ndarray, dets: np.ndarray) -> np.ndarray:
    """IoU of pairs, `(P,)`; boxes that touch or have no extent overlap by 0."""
    box_x, box_y, box_w, box_h = detections.boxes[dets].T
    object_x, object_y, object_w, object_h = truth.boxes[objects].T
    width = np.minimum(box_w + box_x, object_w + object_x) - np.maximum(box_x, object_x)
    height = np.minimum(box_h + box_y, object_h + object_y) - np.maximum(box_y, object_y)
    shared = width * height
    box_area = box_w * box_h
    whole = np.where(truth.crowd[objects], box_area, box_area + object_w * object_h - shared)
    meet = (width > 0) & (height > 0)
    return np.divide(shared, whole, out=np.zeros_like(shared), where=meet)


def _mask_overlaps(truth: GroundTruth, detections: Detections, objects: np.ndarray, dets: np.ndarray) -> np.ndarray:
    """IoU of pairs by pycocotools; the pairs of one detection stand together and have the same objects as its neighbours'."""
    from pycocotools import mask

    if truth.masks is None or detections.masks is None:
        raise ValueError("iou_type 'segm' needs masks of the objects and of the detections: give both, or use 'bbox'.")
    overlaps = np.empty(len(dets))
    starts = np.flatnonzero(np.r_[True, dets[1:] != dets[:-1]])
    ends = np.r_[starts[1:], len(dets)]
    group = 0
    while group < len(starts):
        last = group
        while last + 1 < len(starts) and objects[starts[last + 1]] == objects[starts[group]]:
            last += 1
        of_cell = objects[starts[group] : ends[group]]
        own_masks = [detections.masks[dets[start]] for start in starts[group : last + 1]]
        object_masks = [truth.masks[index] for index in of_cell]
        crowd = truth.crowd[of_cell].astype(np.uint8).tolist()
        overlaps[starts[group] : ends[last]] = np.asarray(mask.iou(own_masks, object_masks, crowd)).reshape(-1)
        group = last + 1
    return overlaps
