"""Views of an image merged into one prediction, by mmdet's contract."""

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmdet.models import DetTTAModel
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.hub import get_config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from PIL import Image
from torch import nn

from florence.registry import MODELS

HEIGHT, WIDTH = 60, 100
BOX = torch.tensor([[10.0, 5, 30, 25]])
FLIPPED = {
    None: BOX,
    'horizontal': torch.tensor([[70.0, 5, 90, 25]]),
    'vertical': torch.tensor([[10.0, 35, 30, 55]]),
    'diagonal': torch.tensor([[70.0, 35, 90, 55]]),
}


class Detector(nn.Module):
    """Hands on the samples it is given, as predictions."""

    def test_step(self, data):
        return data['data_samples']


def view(boxes, scores, labels=0, direction=None, scale=1.0, masks=None, **meta):
    instances = InstanceData(bboxes=boxes, scores=torch.tensor(scores), labels=torch.full((len(boxes),), labels))
    if masks is not None:
        instances.masks = masks
    shape = (round(HEIGHT * scale), round(WIDTH * scale))
    meta = {'ori_shape': (HEIGHT, WIDTH), 'img_shape': shape, 'scale_factor': (scale, scale), 'img_id': 3, **meta}
    return DetDataSample(pred_instances=instances, metainfo={**meta, 'flip': direction is not None, 'flip_direction': direction})


def build(module=None, **settings):
    return MODELS.build({'type': 'florence.DetectionTTA', 'module': module or Detector(), 'tta_cfg': ConfigDict(settings)})


def merge(model, *views):
    """Through mmengine's `test_step`, for one image."""
    data = {'inputs': [[None] for _ in views], 'data_samples': [[one] for one in views]}
    [result] = model.test_step(data)
    return result


@pytest.mark.parametrize('direction', list(FLIPPED))
def test_flips_are_undone(direction):
    result = merge(build(merge='vote'), view(BOX, [0.5]), view(FLIPPED[direction], [0.7], direction=direction))
    torch.testing.assert_close(result.pred_instances.bboxes, BOX)
    assert result.pred_instances.scores.tolist() == pytest.approx([0.7]) and result.img_id == 3


def test_nms_equals_mmdet():
    """mmdet's own wrapper on the same random views."""
    sets = []
    for _ in range(2):
        torch.manual_seed(0)
        views = []
        for direction in (None, 'horizontal', None, 'horizontal'):
            corners = torch.rand(40, 2) * torch.tensor([60.0, 30.0])
            boxes = torch.cat([corners, corners + 5 + torch.rand(40, 2) * 25], dim=1)
            views.append(view(boxes, torch.rand(40).tolist(), direction=direction))
        sets.append(views)
    theirs = DetTTAModel(tta_cfg=ConfigDict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=30), module=Detector())
    expected = merge(theirs, *sets[0]).pred_instances
    ours = merge(build(merge='nms', iou_threshold=0.5, max_per_img=30), *sets[1]).pred_instances
    torch.testing.assert_close(ours.bboxes, expected.bboxes)
    torch.testing.assert_close(ours.scores, expected.scores)
    assert len(ours) == 30


def test_ranges_of_sizes():
    """The box of 20 pixels is 40 in the second scale."""
    ranges = [(0, 30), (50, 1000)]
    views = [view(BOX, [0.5]), view(FLIPPED['horizontal'], [0.6], direction='horizontal')]
    views += [view(BOX, [0.8], scale=2.0), view(FLIPPED['horizontal'], [0.9], direction='horizontal', scale=2.0)]
    assert merge(build(merge='nms', size_ranges=ranges), *views).pred_instances.scores.tolist() == pytest.approx([0.6])
    assert merge(build(merge='nms'), *views).pred_instances.scores.tolist() == pytest.approx([0.9])
    with pytest.raises(ValueError, match='put Resize before RandomFlip'):
        build(size_ranges=ranges).merge_preds([[views[0], views[2], views[1], views[3]]])
    with pytest.raises(ValueError, match='has 3 ranges'):
        build(size_ranges=[*ranges, (0, 1)]).merge_preds([views])


def test_masks():
    masks = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.bool)
    masks[:, 5:25, 10:30] = True
    smaller = masks.clone()
    smaller[:, :10] = False
    views = [view(BOX, [0.7], masks=masks), view(FLIPPED['horizontal'], [0.5], direction='horizontal', masks=smaller.flip(2))]
    merged = merge(build(merge='vote'), *views).pred_instances
    assert torch.equal(merged.masks, masks), 'the heavier mask has the majority'
    views = [view(BOX, [0.5], masks=masks), view(FLIPPED['horizontal'], [0.7], direction='horizontal', masks=smaller.flip(2))]
    assert torch.equal(merge(build(merge='vote'), *views).pred_instances.masks, smaller)
    views = [view(BOX, [0.5], masks=masks), view(BOX, [0.7], masks=smaller)]
    assert 'masks' not in merge(build(masks='drop'), *views).pred_instances


def test_a_detector_of_mmdet_in_its_pipeline(tmp_path):
    """Views from mmdet's `TestTimeAug`; a single view merged by the detector's own suppression changes nothing."""
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)).save(tmp_path / 'a.png')
    cfg = get_config('mmdet::_base_/models/retinanet_r50_fpn.py').model
    cfg.backbone.update(depth=18, init_cfg=None)
    cfg.neck.in_channels = [64, 128, 256, 512]
    cfg.test_cfg.score_thr = 0.0
    keys = ('img_id', 'ori_shape', 'img_shape', 'scale_factor', 'flip', 'flip_direction')

    def predict(model, *flips):
        views = [
            [dict(type='Resize', scale=scale, keep_ratio=True) for scale in ((100, 60), (200, 120))[: len(flips)]],
            [dict(type='RandomFlip', prob=prob) for prob in flips],
            [dict(type='PackDetInputs', meta_keys=keys)],
        ]
        pipeline = Compose([dict(type='LoadImageFromFile'), dict(type='TestTimeAug', transforms=views)])
        with torch.no_grad():
            return model.test_step(pseudo_collate([pipeline({'img_path': str(tmp_path / 'a.png'), 'img_id': 3})]))[0]

    with DefaultScope.overwrite_default_scope('mmdet'):
        torch.manual_seed(0)
        model = build(module=cfg, merge='nms', iou_threshold=0.5, max_per_img=100).eval()
        single = predict(model, 0.0).pred_instances
        model.merge_preds = lambda views: [one[0] for one in views]
        alone = predict(model, 0.0).pred_instances
        del model.merge_preds
        model.settings.update(merge='vote', size_ranges=[(0, 60), (20, 1000)])
        voted = predict(model, 0.0, 1.0).pred_instances
    assert len(single) == 100
    torch.testing.assert_close(single.bboxes, alone.bboxes)
    torch.testing.assert_close(single.scores, alone.scores)
    assert len(voted) == 100 and bool((voted.bboxes >= -1e-3).all()) and bool((voted.bboxes[:, 2] <= WIDTH + 1e-3).all())


def test_no_detection():
    empty = torch.zeros(0, 4)
    result = merge(build(), view(empty, []), view(empty, [], direction='horizontal')).pred_instances
    assert result.bboxes.shape == (0, 4) and len(result.scores) == 0


def test_mistakes():
    with pytest.raises(ValueError, match=r"has no \['merges'\]"):
        build(merges='nms')
    with pytest.raises(ValueError, match='merge of DetectionTTA must be one of'):
        build(merge='mean')
    for ranges in ([], [(30, 10)], [(0, 10, 20)]):
        with pytest.raises(ValueError, match='needs a least and a largest size for each scale'):
            build(size_ranges=ranges)
    plain = DetDataSample(pred_instances=view(BOX, [0.5]).pred_instances, metainfo={'ori_shape': (HEIGHT, WIDTH)})
    with pytest.raises(KeyError, match="a view lacks 'flip': list it in meta_keys"):
        build().merge_preds([[plain]])
