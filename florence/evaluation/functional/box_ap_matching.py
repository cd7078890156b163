"""Greedy matching of detections to objects (COCO's rule), for all thresholds and size ranges of all images at once.

The rule: detections of a cell choose in the order of their scores. Each takes, of the objects not yet taken, the one that it
overlaps most, of equal ones the later; an object that does not count only where no other is left, a crowd any number of times.
The choices at T thresholds and A size ranges are independent, so one 64-bit word per detection and per object holds them all (bit
a * T + t) and a choice is a few operations on words. Choices of different cells are independent too: the loop runs over the
choices *within* a cell, all cells in step.

Differs from pycocotools in one point: there an object whose annotation id is 0 counts as never found; here ids play no role.
"""

import numpy as np

from florence.evaluation.functional.box_ap_pairs import Edges

WORD = 64
UINT = np.uint64


def match(
    edges: Edges, cells: np.ndarray, ignored: np.ndarray, crowd: np.ndarray, thresholds: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Match detections to objects.

    Args:
        edges: Pairs that overlap.
        cells: Cell of each ranked detection, `(D,)`.
        ignored: Whether an object does not count in a size range, `(A, G)` bool.
        crowd: Whether an object is a crowd, `(G,)` bool.
        thresholds: Least IoU of a match, `(T,)`.

    Returns:
        Positions `(C,)` of the ranked detections that have an edge; whether each matches an object that counts, `(T, A, C)` bool;
        and whether it matches any, `(T, A, C)` bool.
    """
    num_areas = len(ignored)
    candidates, own = np.unique(edges.detections, return_inverse=True)
    at_once = WORD // num_areas
    assert at_once, 'more size ranges than bits in a word'
    hits, takes = [], []
    for start in range(0, len(thresholds), at_once):
        some = thresholds[start : start + at_once]
        taken, counted = _match_words(edges, own, cells[candidates], ignored, crowd, some)
        hits.append(_bits(taken & counted, len(some), num_areas))
        takes.append(_bits(taken, len(some), num_areas))
    return candidates, np.concatenate(hits), np.concatenate(takes)


def _match_words(
    edges: Edges, own: np.ndarray, cells: np.ndarray, ignored: np.ndarray, crowd: np.ndarray, thresholds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Words of the matches of each candidate, and of those with objects that count, `(C,)` each."""
    order = np.lexsort((-edges.objects, -edges.overlaps, own))
    dets, objects, overlaps = own[order], edges.objects[order], edges.overlaps[order]
    ignored_words, eligible = _ignored_words(ignored, len(thresholds)), _eligible_words(overlaps, thresholds, len(ignored))
    dets, objects, words = _choices(dets, objects, eligible, ignored_words)
    order, sizes = _in_step(cells[dets])
    dets, objects, words = dets[order], objects[order], words[order]
    free = np.full(len(cells), ~UINT(0))
    counted = np.zeros(len(cells), UINT)
    open_to_all = np.full(len(crowd), ~UINT(0))
    once_only = np.where(crowd, UINT(0), ~UINT(0))
    stop = 0
    for size in sizes:
        part = slice(stop, stop + size)
        stop += size
        det, item = dets[part], objects[part]
        take = words[part] & free[det] & open_to_all[item]
        free[det] ^= take
        counted[det] |= take & ~ignored_words[item]
        open_to_all[item] &= ~(take & once_only[item])
    return ~free, counted


def _choices(
    dets: np.ndarray, objects: np.ndarray, eligible: np.ndarray, ignored_words: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What each detection tries, in its order: objects that count, then those that do not; a lone edge is one choice."""
    ignored = ignored_words[objects]
    several = np.bincount(dets)[dets] > 1 if len(dets) else np.zeros(0, bool)
    first = np.where(several, eligible & ~ignored, eligible)
    second = np.where(several, eligible & ignored, UINT(0))
    all_dets, all_objects, words = np.r_[dets, dets], np.r_[objects, objects], np.r_[first, second]
    order = np.argsort(all_dets, kind='stable')
    order = order[words[order] != 0]
    return all_dets[order], all_objects[order], words[order]


def _in_step(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Order of the choices by their place in their cell, so that those of one step belong to different cells; steps' sizes."""
    places = np.arange(len(cells)) - np.searchsorted(cells, cells)
    return np.argsort(places, kind='stable'), np.bincount(places)


def _eligible_words(overlaps: np.ndarray, thresholds: np.ndarray, num_areas: int) -> np.ndarray:
    """Bits of the thresholds that each overlap reaches, the same in all size ranges."""
    words = np.zeros(len(overlaps), UINT)
    for bit, threshold in enumerate(thresholds):
        words |= (overlaps >= min(threshold, 1 - 1e-10)).astype(UINT) << UINT(bit)
    return words * UINT(sum(1 << (area * len(thresholds)) for area in range(num_areas)))


def _ignored_words(ignored: np.ndarray, num_thresholds: int) -> np.ndarray:
    """Bits of the size ranges in which each object does not count."""
    words = np.zeros(ignored.shape[1], UINT)
    every = (1 << num_thresholds) - 1
    for area, of_area in enumerate(ignored):
        words |= np.where(of_area, UINT(every << (area * num_thresholds)), UINT(0))
    return words


def _bits(words: np.ndarray, num_thresholds: int, num_areas: int) -> np.ndarray:
    """`(C,)` words to `(T, A, C)` bool."""
    as_bytes = words.astype('<u8').view(np.uint8).reshape(len(words), 8)
    bits = np.unpackbits(as_bytes, axis=1, bitorder='little', count=num_thresholds * num_areas)
    # (C, A * T) -> (T, A, C)
    return np.ascontiguousarray(bits.reshape(len(words), num_areas, num_thresholds).transpose(2, 1, 0)).view(bool)
