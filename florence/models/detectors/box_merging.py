"""Merging of overlapping boxes of one class: NMS, soft-NMS (arXiv 1704.04503), box voting (arXiv 1505.01749), soft voting.

The votes are those of the GLIP code (`box_aug.py`). Differs from it: no `+ 1` in the size of a box, boxes just at the threshold
do not join.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import box_iou

METHODS = ('nms', 'soft_nms', 'vote', 'soft_vote')


@dataclass(frozen=True)
class MergedBoxes:
    """Boxes that remain, best first.

    Attributes:
        boxes: `xyxy`, `(M, 4)`.
        scores: `(M,)`.
        labels: `(M,)`.
        members: For each, the indices of the boxes that it stands for.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    members: list[Tensor]


def merge_boxes(
    boxes: Tensor, scores: Tensor, labels: Tensor, *, method: str, iou_threshold: float, min_score: float, max_boxes: int
) -> MergedBoxes:
    """Merge the boxes of an image, each class for itself.

    `nms`: the best box, without those that overlap it. `vote`: the mean of the best box and those that overlap it, weighted by
    score, with the best score. `soft_nms`: every box, its score lowered by each better one that overlaps it (times 1 - IoU).
    `soft_vote`: the voted box, and those that voted with their scores times 1 - IoU.

    Args:
        boxes: `xyxy`, `(N, 4)`.
        scores: `(N,)`.
        labels: `(N,)`.
        method: One of `METHODS`.
        iou_threshold: Boxes overlap beyond it.
        min_score: Least lowered score that remains; the others remain whatever their score.
        max_boxes: How many remain.
    """
    parts = []
    for label in labels.unique().tolist():
        own = torch.nonzero(labels == label)[:, 0]
        # stable: equal scores keep their order
        own = own[scores[own].argsort(descending=True, stable=True)]
        overlaps = box_iou(boxes[own].double(), boxes[own].double()).nan_to_num()
        overlaps.fill_diagonal_(1)
        if method == 'soft_nms':
            parts += _soften(own, scores[own], overlaps, iou_threshold, min_score)
        else:
            for members, shared in _clusters(own, overlaps, iou_threshold):
                parts += _represent(members, shared, scores, method, min_score)
    new_scores = torch.stack([score for score, _, _ in parts]) if parts else scores
    order = new_scores.argsort(descending=True, stable=True)[:max_boxes].tolist()
    return MergedBoxes(
        boxes=torch.stack([_mean_box(boxes, scores, parts[index][2]) for index in order]) if order else boxes[:0],
        scores=new_scores[order],
        labels=torch.stack([labels[parts[index][1]] for index in order]) if order else labels[:0],
        members=[parts[index][2] for index in order],
    )


def mean_masks(masks: Tensor, scores: Tensor, members: list[Tensor]) -> Tensor:
    """Of each group, the pixels that more than half of its masks hold, weighted by score; bool `(M, H, W)`.

    Args:
        masks: bool `(N, H, W)`.
        scores: `(N,)`.
        members: Indices of each group.
    """
    merged = masks.new_empty((len(members), *masks.shape[1:]))
    for index, group in enumerate(members):
        weights = _weights(scores, group)
        merged[index] = torch.einsum('n,nhw->hw', weights, masks[group].double()) > 0.5
    return merged


def _clusters(own: Tensor, overlaps: Tensor, iou_threshold: float) -> list[tuple[Tensor, Tensor]]:
    """The best box with those that overlap it, then the best of the rest, and so on: indices and overlaps with the best."""
    left = torch.ones(len(own), dtype=torch.bool, device=own.device)
    clusters = []
    for best in range(len(own)):
        if left[best]:
            joined = left & (overlaps[best] > iou_threshold)
            joined[best] = True
            left &= ~joined
            clusters.append((own[joined], overlaps[best][joined]))
    return clusters


def _represent(
    members: Tensor, shared: Tensor, scores: Tensor, method: str, min_score: float
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Score, leading box, and the boxes whose mean it is, of what a cluster leaves."""
    best = members[0]
    if method == 'nms':
        return [(scores[best], best, members[:1])]
    parts = [(scores[best], best, members)]
    if method == 'soft_vote' and len(members) > 1:
        lowered = scores[members] * (1 - shared).to(scores.dtype)
        parts += [(lowered[index], members[index], members[index : index + 1]) for index in range(1, len(members))]
        parts = [parts[0]] + [part for part in parts[1:] if part[0] >= min_score]
    return parts


def _soften(
    own: Tensor, scores: Tensor, overlaps: Tensor, iou_threshold: float, min_score: float
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Soft-NMS, linear: score, box, and the box as its own only member."""
    scores, original = scores.clone(), scores
    waiting = torch.ones(len(own), dtype=torch.bool, device=own.device)
    parts = []
    while waiting.any():
        best = int(torch.where(waiting, scores, -torch.inf).argmax())
        waiting[best] = False
        if scores[best] >= min_score or scores[best] == original[best]:
            parts.append((scores[best].clone(), own[best], own[best : best + 1]))
        lowered = (1 - overlaps[best]).to(scores.dtype)
        scores = torch.where(waiting & (overlaps[best] > iou_threshold), scores * lowered, scores)
    return parts


def _mean_box(boxes: Tensor, scores: Tensor, members: Tensor) -> Tensor:
    if len(members) == 1:
        return boxes[members[0]]
    return (boxes[members].double() * _weights(scores, members)[:, None]).sum(0).to(boxes.dtype)


def _weights(scores: Tensor, members: Tensor) -> Tensor:
    """Weights by score, of sum 1; where all scores are 0 they weigh the same."""
    weights = scores[members].double().clamp(min=1e-30)
    return weights / weights.sum()
