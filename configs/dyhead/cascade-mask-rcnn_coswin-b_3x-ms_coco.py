# CoSwin-B in mmdet's Cascade Mask R-CNN, COCO, 36 epochs, shorter side 480 to 800. Published for Swin-B: 51.9 box AP.
#   bash tools/dist_train.sh configs/dyhead/cascade-mask-rcnn_coswin-b_3x-ms_coco.py 8 --amp
_base_ = [
    '../_base_/detection_runtime.py',
    'mmdet::_base_/models/cascade-mask-rcnn_r50_fpn.py',
    'mmdet::_base_/datasets/coco_instance.py',
    '../_base_/schedules/detection_12e.py',
]
max_epochs = 36
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=1000),
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=max_epochs, milestones=[27, 33], gamma=0.1),
]
model = dict(
    data_preprocessor=dict(mean=[122.771, 116.746, 104.094], std=[68.501, 66.632, 70.323]),
    backbone=dict(
        _delete_=True,
        type='florence.CoSwin',
        arch='base',
        out_indices=(0, 1, 2, 3),
        with_cp=True,
        init_cfg=dict(
            type='Pretrained',
            prefix='image_tower.',
            checkpoint='work_dirs/unicl_coswin-b_stage1-1m_fld900m/iter_1000000.pth',
        ),
    ),
    neck=dict(in_channels=[128, 256, 512, 1024]),
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='RandomResize', scale=[(1333, 480), (1333, 800)], keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
