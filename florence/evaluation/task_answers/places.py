"""Figures of answers that place what a text means: phrase grounding and referring segmentation."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from florence.evaluation.task_answers.answer import TaskAnswer

LEAST_OVERLAP = 0.5


def score_grounding(answers: Sequence[TaskAnswer]) -> dict[str, float]:
    """Phrases whose box overlaps the true one by half, percent, by both protocols of Flickr30k Entities; referring accuracy.

    `R@1` is "any box": the first box of the phrase and any of its true ones. `R@1_merged` is "merged boxes": the box around all
    of its boxes and that around all true ones. A phrase is found under its own words, whatever their case; a phrase of the truth
    that the answer does not have is missed. One that a sentence has twice is one phrase with the boxes of both.

    `accuracy@0.5` is that of referring expressions: the first box of the answer, whatever its label, and the true one. It is
    there where every prompt has one box.
    """
    hits = []
    for answer in answers:
        found, wanted = (_boxes_of_phrases(regions) for regions in (answer.parsed, answer.truth))
        for phrase, boxes in wanted.items():
            own = found.get(phrase)
            any_box = own is not None and max(box_overlap(own[0], box) for box in boxes) >= LEAST_OVERLAP
            merged = own is not None and box_overlap(_around(own), _around(boxes)) >= LEAST_OVERLAP
            hits.append((any_box, merged))
    figures = {name: 100 * sum(own) / len(own) for name, own in zip(('R@1', 'R@1_merged'), zip(*hits or [(False, False)]))}
    if all(len(answer.truth['boxes']) == 1 for answer in answers):
        right = [
            box_overlap(box, answer.truth['boxes'][0]) >= LEAST_OVERLAP
            for answer in answers
            for box in answer.parsed['boxes'][:1]
        ]
        figures['accuracy@0.5'] = 100 * sum(right) / len(answers)
    return figures


def _boxes_of_phrases(regions: Mapping) -> dict[str, list[Sequence[float]]]:
    boxes: dict[str, list[Sequence[float]]] = defaultdict(list)
    for label, box in zip(regions['labels'], regions['boxes'], strict=True):
        boxes[label.casefold()].append(box)
    return boxes


def _around(boxes: Sequence[Sequence[float]]) -> list[float]:
    x1, y1, x2, y2 = zip(*boxes, strict=True)
    return [min(x1), min(y1), max(x2), max(y2)]


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
