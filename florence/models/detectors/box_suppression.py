"""The best (box, name) pairs of an image: hard or soft non-maximum suppression within each name (soft: arXiv 1704.04503).

Boxes times a thousand names are too many pairs to compare. Only a head of the ranking is: suppression looks from better to worse
pairs, so that what it keeps of the head is what it would keep of all, as long as the head fills the result.
"""

import torch
import torchvision
from torch import Tensor

SETTINGS: dict[str, dict] = {
    'nms': dict(iou_threshold=0.5),
    'soft_nms': dict(iou_threshold=0.5, method='linear', sigma=0.5, min_score=1e-3),
}
"""Kinds of suppression with their settings, named as in mmdet."""
METHODS = ('linear', 'gaussian')
HEAD = 8
"""Pairs looked at first, over pairs wanted."""


def resolve_nms(cfg: dict) -> dict:
    """Settings of a suppression with the defaults filled in.

    Args:
        cfg: `type`, 'nms' or 'soft_nms', and settings.

    Raises:
        ValueError: If the type or a setting is unknown.
    """
    kind = cfg.get('type', 'nms')
    if kind not in SETTINGS:
        raise ValueError(f'nms: type must be one of {tuple(SETTINGS)}, got {kind!r}.')
    resolved = {'type': kind, **SETTINGS[kind], **cfg}
    unknown = set(resolved) - {'type', *SETTINGS[kind]}
    if unknown:
        raise ValueError(f'nms: {kind} has no {", ".join(sorted(unknown))}; it has {", ".join(SETTINGS[kind])}.')
    if resolved.get('method', METHODS[0]) not in METHODS:
        raise ValueError(f'nms: method must be one of {METHODS}, got {resolved["method"]!r}.')
    return resolved


def best_pairs(boxes: Tensor, scores: Tensor, nms: dict, score_thr: float, max_per_img: int) -> tuple[Tensor, Tensor, Tensor]:
    """The pairs that survive, best first.

    Args:
        boxes: `(R, 4)` xyxy.
        scores: `(R, K)`, of each box with each name.
        nms: As `resolve_nms` returns it.
        score_thr: Pairs need more than this.
        max_per_img: At most so many pairs.

    Returns:
        Index of the box `(M,)`, index of the name `(M,)`, score `(M,)`; lowered scores after soft suppression.
    """
    candidates = (scores.flatten() > score_thr).nonzero()[:, 0]
    ranked = scores.flatten()[candidates]
    count = min(len(candidates), HEAD * max_per_img)
    while True:
        top_scores, top = ranked.topk(count)
        regions = torch.div(candidates[top], scores.shape[1], rounding_mode='floor')
        names = candidates[top] % scores.shape[1]
        kept, kept_scores = _suppress(boxes[regions], top_scores, names, nms, max_per_img)
        # Of the pairs left out none can come before the last one kept.
        if count == len(candidates) or (len(kept) == max_per_img and bool(kept_scores[-1] >= top_scores[-1])):
            return regions[kept], names[kept], kept_scores
        count = min(len(candidates), 4 * count)


def _suppress(boxes: Tensor, scores: Tensor, names: Tensor, nms: dict, most: int) -> tuple[Tensor, Tensor]:
    if nms['type'] == 'soft_nms':
        return _soft_nms(boxes, scores, names, nms, most)
    # Double, because names are kept apart by offsets that a thousand of them make large.
    kept = torchvision.ops.batched_nms(boxes.double(), scores.double(), names, nms['iou_threshold'])[:most]
    return kept, scores[kept]


def _soft_nms(boxes: Tensor, scores: Tensor, names: Tensor, nms: dict, most: int) -> tuple[Tensor, Tensor]:
    scores, kept, kept_scores = scores.clone(), [], []
    for _ in range(min(most, len(scores))):
        best = int(scores.argmax())
        value = float(scores[best])
        if value <= 0 or value < nms['min_score']:
            break
        kept.append(best)
        kept_scores.append(value)
        overlap = torchvision.ops.box_iou(boxes[best, None], boxes)[0] * (names == names[best])
        if nms['method'] == 'gaussian':
            scores *= torch.exp(-(overlap**2) / nms['sigma'])
        else:
            scores *= torch.where(overlap > nms['iou_threshold'], 1 - overlap, 1.0)
        scores[best] = -1
    return torch.tensor(kept, dtype=torch.int64, device=boxes.device), scores.new_tensor(kept_scores)
