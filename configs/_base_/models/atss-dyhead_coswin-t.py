# ATSS with six Dynamic Head blocks in place of its towers (arXiv 2106.08322, section 4) on CoSwin-T: one anchor of eight
# strides per cell, predictors of 1 x 1. Larger towers change the backbone, the neck's in_channels and num_blocks.
_base_ = 'atss_head.py'
num_classes = 80
head = _base_.atss_head
head.update(num_classes=num_classes)
model = dict(
    type='ATSS',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[122.771, 116.746, 104.094],
        std=[68.501, 66.632, 70.323],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    backbone=dict(type='florence.CoSwin', arch='tiny', out_indices=(1, 2, 3)),
    neck=[
        dict(type='FPN', in_channels=[192, 384, 768], out_channels=256, add_extra_convs='on_output', num_outs=5),
        dict(type='florence.DyHead', in_channels=256, out_channels=256, num_blocks=6),
    ],
    bbox_head=head,
    train_cfg=dict(assigner=dict(type='ATSSAssigner', topk=9), allowed_border=-1, pos_weight=-1),
    test_cfg=dict(nms_pre=1000, min_bbox_size=0, score_thr=0.05, nms=dict(type='nms', iou_threshold=0.6), max_per_img=100),
)
