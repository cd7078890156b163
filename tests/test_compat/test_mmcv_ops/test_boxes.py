"""The served box ops against scans written out box by box."""

import math

import mmcv.ops
import numpy as np
import pytest
import torch


def overlap(a, b, offset=0, mode='iou'):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]) + offset)
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]) + offset)
    area_a = (a[2] - a[0] + offset) * (a[3] - a[1] + offset)
    area_b = (b[2] - b[0] + offset) * (b[3] - b[1] + offset)
    whole = area_a if mode == 'iof' else area_a + area_b - width * height
    return width * height / whole if whole else math.nan


def scan_nms(boxes, scores, threshold, offset):
    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(not overlap(boxes[k], boxes[i], offset) > threshold for k in kept):
            kept.append(i)
    return kept


def scan_soft_nms(boxes, scores, threshold, sigma, min_score, method, offset):
    """The scan with swaps of mmcv's compiled op, on lists."""
    items = [[*box, score, index] for index, (box, score) in enumerate(zip(boxes, scores, strict=True))]
    i = 0
    while i < len(items):
        best = i
        for pos in range(i + 1, len(items)):
            if items[best][4] < items[pos][4]:
                best = pos
        items[i], items[best] = items[best], items[i]
        pos = i + 1
        while pos < len(items):
            iou = overlap(items[i], items[pos], offset)
            if method == 'gaussian':
                items[pos][4] *= math.exp(-iou * iou / sigma)
            elif iou >= threshold:
                items[pos][4] *= 1 - iou if method == 'linear' else 0
            if items[pos][4] < min_score:
                items[pos] = items[-1]
                items.pop()
            else:
                pos += 1
        i += 1
    return [item[:5] for item in items], [item[5] for item in items]


def random_boxes(count, size=20):
    corner = torch.randint(0, size, (count, 2)).double()
    return torch.cat([corner, corner + torch.randint(1, size, (count, 2))], dim=1)


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', [0.1, 0.3, 0.7])
def test_nms_equals_scan(threshold, offset):
    boxes, scores = random_boxes(60), torch.rand(60, dtype=torch.float64)
    dets, kept = mmcv.ops.nms(boxes, scores, threshold, offset=offset)
    assert kept.tolist() == scan_nms(boxes.tolist(), scores.tolist(), threshold, offset)
    torch.testing.assert_close(dets, torch.cat([boxes[kept], scores[kept, None]], dim=1))


def test_nms_takes_half_precision_numpy_and_no_boxes():
    boxes, scores = random_boxes(30), torch.rand(30, dtype=torch.float64)
    expected = scan_nms(boxes.tolist(), scores.half().tolist(), 0.5, 0)
    assert mmcv.ops.nms(boxes.half(), scores.half(), 0.5)[1].tolist() == expected
    assert mmcv.ops.nms(boxes.numpy(), scores.half().double().numpy(), 0.5)[1].tolist() == expected
    assert mmcv.ops.nms(torch.zeros(0, 4), torch.zeros(0), 0.5)[1].shape == (0,)


@pytest.mark.parametrize('split_thr', [10000, 10])
def test_batched_nms_is_nms_per_class(split_thr):
    boxes, scores, labels = random_boxes(50), torch.rand(50, dtype=torch.float64), torch.randint(0, 3, (50,))
    cfg = dict(type='nms', iou_threshold=0.4, split_thr=split_thr)
    dets, kept = mmcv.ops.batched_nms(boxes, scores, labels, cfg)
    expected = []
    for label in range(3):
        own = (labels == label).nonzero()[:, 0]
        expected += own[scan_nms(boxes[own].tolist(), scores[own].tolist(), 0.4, 0)].tolist()
    assert kept.tolist() == sorted(expected, key=lambda i: -scores[i])
    torch.testing.assert_close(dets[:, 4], scores[kept])


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
def test_soft_nms_equals_scan_to_the_order(method, offset):
    boxes = random_boxes(40)
    # few distinct scores: the order of equal ones is part of the result
    scores = torch.randint(1, 6, (40,)).double() / 6
    dets, kept = mmcv.ops.soft_nms(boxes, scores, 0.3, 0.5, min_score=0.15, method=method, offset=offset)
    rows, indices = scan_soft_nms(boxes.tolist(), scores.tolist(), 0.3, 0.5, 0.15, method, offset)
    assert 5 < len(indices) < 40
    assert kept.tolist() == indices
    torch.testing.assert_close(dets, torch.tensor(rows, dtype=torch.float64))


@pytest.mark.parametrize('method', ['linear', 'gaussian'])
def test_soft_nms_of_boxes_without_area(method):
    boxes = torch.tensor([[3, 1, 3, 1], [4, 3, 5, 3], [3, 1, 3, 1], [0, 0, 9, 9]]).double()
    scores = torch.tensor([0.5, 0.9, 0.6, 0.7], dtype=torch.float64)
    dets, kept = mmcv.ops.soft_nms(boxes, scores, 0.6, method=method)
    rows, indices = scan_soft_nms(boxes.tolist(), scores.tolist(), 0.6, 0.5, 1e-3, method, 0)
    assert kept.tolist() == indices
    np.testing.assert_allclose(dets, rows)


def test_nms_match_groups_every_box_with_its_suppressor():
    boxes, scores = random_boxes(40), torch.rand(40, dtype=torch.float64)
    groups = mmcv.ops.nms_match(torch.cat([boxes, scores[:, None]], dim=1), 0.3)
    waiting = scores.argsort(descending=True).tolist()
    expected = []
    while waiting:
        best = waiting[0]
        lost = [i for i in waiting[1:] if overlap(boxes[best].tolist(), boxes[i].tolist()) >= 0.3]
        expected.append([best, *lost])
        waiting = [i for i in waiting[1:] if i not in lost]
    assert [group.tolist() for group in groups] == expected
    assert 1 < len(expected) < 40


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('mode', ['iou', 'iof'])
def test_bbox_overlaps_equals_formula(mode, offset):
    a, b = random_boxes(6), random_boxes(6)
    pairs = [[overlap(x, y, offset, mode) for y in b.tolist()] for x in a.tolist()]
    expected = torch.tensor(pairs, dtype=torch.float64)
    torch.testing.assert_close(mmcv.ops.bbox_overlaps(a, b, mode, offset=offset), expected)
    aligned = mmcv.ops.bbox_overlaps(a, b, mode, aligned=True, offset=offset)
    torch.testing.assert_close(aligned, expected.diagonal())
