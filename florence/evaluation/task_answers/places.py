"""Figures of answers that place what a text means: phrase grounding and referring segmentation."""

from collections.abc import Sequence

import numpy as np

from florence.evaluation.task_answers.answer import TaskAnswer

LEAST_OVERLAP = 0.5


def score_grounding(answers: Sequence[TaskAnswer]) -> dict[str, float]:
    """`R@1`, percent: phrases of the truth whose first box overlaps any of theirs by half.

    The protocol of Flickr30k Entities known as "any box". A phrase is found under its own words, whatever their case; a phrase
    of the truth that the answer does not have is missed.
    """
    hits = []
    for answer in answers:
        first: dict[str, Sequence[float]] = {}
        for label, box in zip(answer.parsed['labels'], answer.parsed['boxes'], strict=True):
            first.setdefault(label.casefold(), box)
        boxes_of: dict[str, list[Sequence[float]]] = {}
        for label, box in zip(answer.truth['labels'], answer.truth['boxes'], strict=True):
            boxes_of.setdefault(label.casefold(), []).append(box)
        for phrase, boxes in boxes_of.items():
            found = first.get(phrase)
            hits.append(found is not None and max(box_overlap(found, box) for box in boxes) >= LEAST_OVERLAP)
    return {'R@1': 100 * sum(hits) / max(len(hits), 1)}


def score_masks(answers: Sequence[TaskAnswer]) -> dict[str, float]:
    """`mIoU`, mean overlap of the masks of all objects of a prompt, and `oIoU`, that of all prompts taken together, percent."""
    shared, joined = np.array([mask_areas(answer) for answer in answers], np.float64).T
    return {
        'mIoU': 100 * float(np.mean(shared / np.maximum(joined, 1))),
        'oIoU': 100 * float(shared.sum() / max(joined.sum(), 1)),
    }


def mask_areas(answer: TaskAnswer) -> tuple[int, int]:
    """Pixels that the masks of answer and truth share, and those of either."""
    found, wanted = (rasterized(regions['polygons'], answer.image_size) for regions in (answer.parsed, answer.truth))
    return int((found & wanted).sum()), int((found | wanted).sum())


def rasterized(objects: Sequence[Sequence[Sequence[float]]], image_size: tuple[float, float]) -> np.ndarray:
    """Mask of all objects, `(H, W)` bool.

    Args:
        objects: Polygons of each, flat `x, y, ...` in pixels.
        image_size: Width and height.
    """
    from pycocotools import mask

    width, height = (max(round(side), 1) for side in image_size)
    polygons = [part for parts in objects for part in parts if len(part) >= 6]
    if not polygons:
        return np.zeros((height, width), bool)
    # One by one: with numpy 2, pycocotools refuses more than 255 at once.
    encoded = [code for polygon in polygons for code in mask.frPyObjects([polygon], height, width)]
    return mask.decode(mask.merge(encoded)).astype(bool)


def box_overlap(first: Sequence[float], second: Sequence[float]) -> float:
    """Intersection over union of two boxes `xyxy`, 0 where neither has an area."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(width, 0.0) * max(height, 0.0)
    joined = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)) - shared
    return shared / joined if joined > 0 else 0.0
