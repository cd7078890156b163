"""Dynamic Head behind mmdet's FPN in front of its one-stage heads and its region proposals, built from configs."""

import pytest
import torch
from mmengine.structures import InstanceData

from florence.registry import MODELS

WIDTH, CLASSES = 16, 3
ANCHORS = dict(type='mmdet.AnchorGenerator', ratios=[1.0], octave_base_scale=4, scales_per_octave=1, strides=[4, 8, 16, 32])
COMMON = dict(num_classes=CLASSES, in_channels=WIDTH, feat_channels=WIDTH)
ATSS_ASSIGNER = dict(assigner=dict(type='mmdet.ATSSAssigner', topk=9), allowed_border=-1, pos_weight=-1, debug=False)
MAX_IOU = dict(type='mmdet.MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0, ignore_iof_thr=-1)
HEADS = {
    'ATSS': dict(
        type='mmdet.ATSSHead',
        stacked_convs=0,
        anchor_generator=ANCHORS,
        loss_bbox=dict(type='mmdet.GIoULoss'),
        loss_centerness=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=True),
        **COMMON,
    ),
    'RetinaNet': dict(
        type='mmdet.RetinaHead',
        stacked_convs=0,
        anchor_generator=ANCHORS,
        loss_cls=dict(type='mmdet.FocalLoss', use_sigmoid=True),
        **COMMON,
    ),
    'FCOS': dict(
        type='mmdet.FCOSHead',
        stacked_convs=0,
        strides=[4, 8, 16, 32],
        regress_ranges=((-1, 16), (16, 32), (32, 64), (64, 1e8)),
        **COMMON,
    ),
    'RPN': dict(type='mmdet.RPNHead', in_channels=WIDTH, feat_channels=WIDTH, anchor_generator=ANCHORS),
}
ON_ANCHORS = dict(allowed_border=-1, pos_weight=-1, debug=False)
TRAIN_CFGS = {
    'ATSS': dict(assigner=dict(type='mmdet.ATSSAssigner', topk=9), **ON_ANCHORS),
    'RetinaNet': dict(assigner=MAX_IOU, sampler=dict(type='mmdet.PseudoSampler'), **ON_ANCHORS),
    'FCOS': None,
    'RPN': dict(
        rpn=dict(
            assigner=MAX_IOU,
            sampler=dict(type='mmdet.RandomSampler', num=64, pos_fraction=0.5, neg_pos_ub=-1, add_gt_as_proposals=False),
            **ON_ANCHORS,
        )
    ),
}


def detector(name):
    return MODELS.build(
        {
            'type': f'mmdet.{name}',
            'data_preprocessor': dict(type='mmdet.DetDataPreprocessor', pad_size_divisor=32),
            'backbone': dict(type='mmdet.ResNet', depth=18, base_channels=8, init_cfg=None),
            'neck': [
                dict(type='mmdet.FPN', in_channels=[8, 16, 32, 64], out_channels=WIDTH, num_outs=4),
                dict(type='florence.DyHead', in_channels=WIDTH, out_channels=WIDTH, num_blocks=2, task_attention=name != 'RPN'),
            ],
            'rpn_head' if name == 'RPN' else 'bbox_head': HEADS[name],
            'train_cfg': TRAIN_CFGS[name],
            'test_cfg': dict(rpn=None),
        }
    )


def batch():
    from mmdet.structures import DetDataSample

    sample = DetDataSample(metainfo=dict(img_shape=(90, 120), ori_shape=(90, 120), scale_factor=(1.0, 1.0), img_id=0))
    boxes = torch.tensor([[5.0, 8.0, 25.0, 30.0], [30.0, 20.0, 90.0, 80.0]])
    sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.tensor([0, 2]))
    return {'inputs': [torch.randint(0, 256, (3, 90, 120), dtype=torch.uint8)], 'data_samples': [sample]}


@pytest.mark.parametrize('name', HEADS)
def test_losses_reach_the_dynamic_head(name):
    model = detector(name).train()
    losses, _ = model.parse_losses(model(**model.data_preprocessor(batch(), training=True), mode='loss'))
    assert losses.isfinite() and losses > 0
    losses.backward()
    dyhead = model.neck[1]
    for block in dyhead.blocks:
        for part in (block.own.conv, block.finer.conv, block.coarser.conv, block.offset):
            assert part.weight.grad.isfinite().all() and part.weight.grad.any()
    assert model.backbone.conv1.weight.grad.any()
