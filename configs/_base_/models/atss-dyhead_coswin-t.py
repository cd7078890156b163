# ATSS with six Dynamic Head blocks in place of its towers (arXiv 2106.08322, section 4) on CoSwin-T: one anchor of eight
# strides per cell, predictors of 1 x 1. Larger towers change the backbone, the neck's in_channels and num_blocks.
num_classes = 80
model = dict(
    type='ATSS',
    data_preprocessor=dict(
        type='DetDataPreprocessor', mean=[122.771, 116.746, 104.094], std=[68.501, 66.632, 70.323], bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    backbone=dict(type='florence.CoSwin', arch='tiny', out_indices=(1, 2, 3)),
    neck=[
        dict(type='FPN', in_channels=[192, 384, 768], out_channels=256, add_extra_convs='on_output', num_outs=5),
        dict(type='florence.DyHead', in_channels=256, out_channels=256, num_blocks=6),
    ],
    bbox_head=dict(
        type='ATSSHead',
        num_classes=num_classes,
        in_channels=256,
        feat_channels=256,
        stacked_convs=0,
        pred_kernel_size=1,
        anchor_generator=dict(
            type='AnchorGenerator', ratios=[1.0], octave_base_scale=8, scales_per_octave=1, strides=[8, 16, 32, 64, 128],
            center_offset=0.5,
        ),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
        loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
        loss_centerness=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
    ),
    train_cfg=dict(assigner=dict(type='ATSSAssigner', topk=9), allowed_border=-1, pos_weight=-1),
    test_cfg=dict(nms_pre=1000, min_bbox_size=0, score_thr=0.05, nms=dict(type='nms', iou_threshold=0.6), max_per_img=100),
)
