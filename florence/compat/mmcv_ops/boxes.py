"""Overlap and non-maximum suppression of axis-aligned boxes, as mmcv's compiled CPU ops do them.

Boxes are `xyxy` in pixels; with `offset` 1 a box includes its last row and column. `nms` runs on
torchvision's kernel, which sorts stably, so equal scores keep their order of input.
"""

import torch
from torch import Tensor

from florence.compat.mmcv_ops.precision import widen

# mmcv's numbers of the soft-NMS methods
NAIVE, LINEAR, GAUSSIAN = 0, 1, 2


def bbox_overlaps(bboxes1: Tensor, bboxes2: Tensor, ious: Tensor, mode: int, aligned: bool, offset: int) -> None:
    """Write the overlaps into `ious`, `(M, N)`, or `(N,)` if `aligned`.

    The intersection is taken over the union in `mode` 0 and over the area of `bboxes1` in `mode` 1.
    """
    boxes1, boxes2 = widen(bboxes1), widen(bboxes2)
    if not aligned:
        boxes1 = boxes1[:, None]  # (M, 1, 4)
    sizes = torch.min(boxes1[..., 2:], boxes2[..., 2:]) - torch.max(boxes1[..., :2], boxes2[..., :2]) + offset
    intersection = sizes.clamp(min=0).prod(dim=-1)
    area1 = (boxes1[..., 2:] - boxes1[..., :2] + offset).prod(dim=-1)
    if mode == 0:
        area2 = (boxes2[..., 2:] - boxes2[..., :2] + offset).prod(dim=-1)
        ious.copy_(intersection / (area1 + area2 - intersection))
    else:
        ious.copy_(intersection / area1)


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Indices, by falling score, of the boxes `(N, 4)` whose IoU with no better box exceeds the threshold."""
    import torchvision

    boxes = widen(boxes)
    if offset:
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    return torchvision.ops.nms(boxes, scores.to(boxes.dtype), iou_threshold)


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Soft-NMS (arXiv 1704.04503); a box leaves when its decayed score falls below `min_score`.

    The head of `dets` `(N, 5)` receives a row `x1, y1, x2, y2, decayed score` per box, in order of selection.

    Returns:
        Index of the input box of each written row, `(K,)`.
    """
    order = torch.arange(len(boxes))
    scores = scores.clone()
    selected = 0
    while selected < len(order):
        best = selected + _first_highest(scores[order[selected:]])
        order[[selected, best]] = order[[best, selected]]
        rest = order[selected + 1 :]
        scores[rest] *= _decay(boxes[order[selected]], boxes[rest], iou_threshold, sigma, method, offset)
        dets[selected, :4] = boxes[order[selected]]
        dets[selected, 4] = scores[order[selected]]
        # `not <` instead of `>=`: boxes without area can give a score that is not a number, which stays
        order = torch.cat([order[: selected + 1], _close_gaps(rest, ~(scores[rest] < min_score))])
        selected += 1
    return order


def _first_highest(scores: Tensor) -> int:
    """Where a scan for greater scores ends; it never moves to, nor from, a score that is not a number."""
    return 0 if bool(scores[0].isnan()) else int(scores.masked_fill(scores.isnan(), -torch.inf).argmax())


def _decay(best: Tensor, others: Tensor, iou_threshold: float, sigma: float, method: int, offset: int) -> Tensor:
    overlap = others.new_empty(1, len(others))
    bbox_overlaps(best[None], others, overlap, mode=0, aligned=False, offset=offset)
    overlap = overlap[0]
    if method == GAUSSIAN:
        return torch.exp(-(overlap * overlap) / sigma)
    lowered = 1 - overlap if method == LINEAR else torch.zeros_like(overlap)
    return torch.where(overlap >= iou_threshold, lowered, torch.ones_like(overlap))


def _close_gaps(items: Tensor, keep: Tensor) -> Tensor:
    """The kept `items`, each gap filled from the end.

    mmcv closes the gaps in this way, and which of several equal scores comes first depends on it.
    """
    kept = int(keep.sum())
    head, tail = items[:kept].clone(), items[kept:]
    head[~keep[:kept]] = tail[keep[kept:]].flip(0)
    return head


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Groups of indices into `dets` `(N, 5)`: a kept box, then those it suppresses (IoU >= threshold)."""
    boxes = dets[:, :4].contiguous()
    overlaps = boxes.new_empty(len(boxes), len(boxes))
    bbox_overlaps(boxes, boxes, overlaps, mode=0, aligned=False, offset=0)
    waiting = dets[:, 4].argsort(descending=True, stable=True)
    groups = []
    while len(waiting):
        best, rest = waiting[0], waiting[1:]
        suppressed = overlaps[best, rest] >= iou_threshold
        groups.append([int(best), *rest[suppressed].tolist()])
        waiting = rest[~suppressed]
    return groups
