"""Merging of overlapping boxes: by hand, and against torchvision's and mmcv's suppression."""

import pytest
import torch
from torchvision.ops import batched_nms

from florence.models.detectors.box_merging import mean_masks, merge_boxes

# Two boxes of one object with IoU 2/3, one elsewhere, and one of another class in the same place.
BOXES = torch.tensor([[0.0, 0, 10, 10], [0, 2, 10, 12], [50, 50, 60, 60], [0, 0, 10, 10]])
SCORES = torch.tensor([0.8, 0.4, 0.9, 0.6])
LABELS = torch.tensor([1, 1, 1, 0])
OPTIONS = {'iou_threshold': 0.6, 'min_score': 0.05, 'max_boxes': 100}


def many(count=400):
    corners = torch.rand(count, 2) * 60
    boxes = torch.cat([corners, corners + 5 + torch.rand(count, 2) * 30], dim=1)
    return boxes, torch.rand(count), torch.randint(0, 3, (count,))


def merge(method, **options):
    return merge_boxes(BOXES, SCORES, LABELS, method=method, **{**OPTIONS, **options})


def test_nms():
    merged = merge('nms')
    assert merged.scores.tolist() == pytest.approx([0.9, 0.8, 0.6]) and merged.labels.tolist() == [1, 1, 0]
    torch.testing.assert_close(merged.boxes, BOXES[[2, 0, 3]])
    assert len(merge('nms', max_boxes=2).boxes) == 2


def test_nms_equals_torchvision():
    boxes, scores, labels = many()
    merged = merge_boxes(boxes, scores, labels, method='nms', **OPTIONS)
    kept = batched_nms(boxes.double(), scores.double(), labels, 0.6)[:100]
    torch.testing.assert_close(merged.boxes, boxes[kept])
    torch.testing.assert_close(merged.scores, scores[kept])
    assert torch.equal(merged.labels, labels[kept])


def test_soft_nms_equals_mmcv():
    from mmcv.ops import soft_nms

    boxes, scores, _ = many(80)
    merged = merge_boxes(boxes, scores, torch.zeros(80, dtype=torch.int64), method='soft_nms', **OPTIONS)
    expected, kept = soft_nms(boxes, scores, iou_threshold=0.6, min_score=0.05, method='linear')
    # mmcv also drops what was below the least score from the start
    count = len(kept)
    torch.testing.assert_close(merged.boxes[:count], expected[:, :4])
    torch.testing.assert_close(merged.scores[:count], expected[:, 4])
    assert bool((merged.scores[count:] < 0.05).all())


def test_votes_are_means_weighted_by_score():
    merged = merge('vote')
    assert merged.scores.tolist() == pytest.approx([0.9, 0.8, 0.6])
    torch.testing.assert_close(merged.boxes[1], (0.8 * BOXES[0] + 0.4 * BOXES[1]) / 1.2)
    assert [members.tolist() for members in merged.members] == [[2], [0, 1], [3]]


def test_soft_votes_keep_the_voters():
    merged = merge('soft_vote')
    assert merged.scores.tolist() == pytest.approx([0.9, 0.8, 0.6, 0.4 * (1 - 2 / 3)])
    torch.testing.assert_close(merged.boxes[3], BOXES[1])
    torch.testing.assert_close(merged.boxes[1], merge('vote').boxes[1])
    assert len(merge('soft_vote', min_score=0.2).boxes) == 3


@pytest.mark.parametrize('method', ['nms', 'soft_nms', 'vote', 'soft_vote'])
def test_nothing_and_boxes_without_extent(method):
    none = merge_boxes(BOXES[:0], SCORES[:0], LABELS[:0], method=method, **OPTIONS)
    assert none.boxes.shape == (0, 4) and none.scores.shape == none.labels.shape == (0,) and none.members == []
    flat = BOXES.clone()
    flat[:, 2] = flat[:, 0]
    merged = merge_boxes(flat, SCORES, LABELS, method=method, **OPTIONS)
    assert merged.scores.tolist() == pytest.approx([0.9, 0.8, 0.6, 0.4]), 'they overlap nothing'
    no_room = merge_boxes(BOXES, SCORES, LABELS, method=method, **{**OPTIONS, 'max_boxes': 0})
    assert no_room.boxes.shape == (0, 4) and no_room.scores.shape == no_room.labels.shape == (0,)


def test_scores_of_zero_weigh_the_same():
    merged = merge_boxes(BOXES[:2], torch.zeros(2), LABELS[:2], method='vote', **OPTIONS)
    torch.testing.assert_close(merged.boxes, BOXES[:2].mean(0, keepdim=True))
    masks = torch.tensor([[[True, True]], [[True, True]], [[False, True]]])
    assert mean_masks(masks, torch.zeros(3), [torch.arange(3)]).tolist() == [[[True, True]]]


def test_masks_follow_the_heavier_half():
    masks = torch.tensor([[[True, True, False]], [[True, False, False]], [[False, False, True]]])
    merged = mean_masks(masks, torch.tensor([0.4, 0.5, 0.3]), [torch.tensor([0, 1, 2]), torch.tensor([2])])
    assert merged.tolist() == [[[True, False, False]], [[False, False, True]]]
