"""The best pairs of an image: equal to the suppression of all pairs, in every prefix; soft suppression as mmcv's."""

import pytest
import torch
import torchvision
from mmcv.ops import soft_nms

from florence.models.detectors.box_suppression import best_pairs, resolve_nms


def random_boxes(count):
    corners = torch.rand(count, 2) * 100
    return torch.cat([corners, corners + 5 + torch.rand(count, 2) * 40], 1)


@pytest.mark.parametrize(('num_names', 'most'), [(1, 100), (7, 20), (300, 10)])
def test_hard_suppression_is_that_of_all_pairs(num_names, most):
    boxes, scores = random_boxes(60), torch.rand(60, num_names)
    regions, names, kept = best_pairs(boxes, scores, resolve_nms(dict(type='nms', iou_threshold=0.4)), 0.3, most)
    region, name = (scores > 0.3).nonzero(as_tuple=True)
    expected = torchvision.ops.batched_nms(boxes[region].double(), scores[region, name].double(), name, 0.4)[:most]
    assert torch.equal(regions, region[expected]) and torch.equal(names, name[expected])
    assert torch.equal(kept, scores[region, name][expected])


def test_a_crowded_head_of_the_ranking_is_looked_behind():
    """All good boxes are the same box: what else there is lies far down."""
    boxes = torch.cat([torch.tensor([[0.0, 0, 10, 10]]).repeat(500, 1), random_boxes(5) + 50])
    scores = torch.cat([torch.linspace(0.99, 0.9, 500), torch.linspace(0.5, 0.4, 5)])[:, None]
    regions, _, _ = best_pairs(boxes, scores, resolve_nms(dict(type='nms', iou_threshold=0.99)), 0.0, 4)
    assert regions.tolist() == [0, 500, 501, 502]


@pytest.mark.parametrize('method', ['linear', 'gaussian'])
@pytest.mark.parametrize('most', [8, 400])
def test_soft_suppression_equals_mmcv_s(method, most):
    boxes, scores = random_boxes(80), torch.rand(80, 3)
    cfg = resolve_nms(dict(type='soft_nms', iou_threshold=0.3, method=method, sigma=0.4, min_score=0.05))
    regions, names, kept = best_pairs(boxes, scores, cfg, 0.0, most)
    expected = []
    for name in range(3):
        dets, index = soft_nms(boxes, scores[:, name], 0.3, 0.4, 0.05, method)
        expected += [(score, region, name) for score, region in zip(dets[:, 4].tolist(), index.tolist(), strict=True)]
    expected = sorted(expected, reverse=True)[:most]
    assert [(r, n) for r, n in zip(regions.tolist(), names.tolist(), strict=True)] == [(r, n) for _, r, n in expected]
    assert torch.allclose(kept, torch.tensor([score for score, _, _ in expected]), atol=1e-6)
    assert len(kept) < 240 and (kept.diff() <= 0).all()


def test_nothing_to_keep():
    for cfg in (dict(type='nms'), dict(type='soft_nms')):
        for boxes, scores in ((torch.zeros(0, 4), torch.zeros(0, 3)), (random_boxes(4), torch.zeros(4, 3))):
            assert [len(part) for part in best_pairs(boxes, scores, resolve_nms(cfg), 0.0, 100)] == [0, 0, 0]


@pytest.mark.parametrize(
    ('cfg', 'message'),
    [
        (dict(type='wbf'), "'nms', 'soft_nms'"),
        (dict(iou_thr=0.5), 'no iou_thr'),
        (dict(type='soft_nms', method='naive'), 'linear'),
    ],
)
def test_unknown_settings(cfg, message):
    with pytest.raises(ValueError, match=message):
        resolve_nms(cfg)
