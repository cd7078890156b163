# CoSwin-T in mmdet's Mask R-CNN, COCO, 12 epochs. Published for Swin-T: 42.7 box AP, 39.3 mask AP.
#   bash tools/dist_train.sh configs/dyhead/mask-rcnn_coswin-t_1x_coco.py 8
_base_ = [
    '../_base_/detection_runtime.py',
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py',
    'mmdet::_base_/datasets/coco_instance.py',
    '../_base_/schedules/detection_12e.py',
]
model = dict(
    data_preprocessor=dict(mean=[122.771, 116.746, 104.094], std=[68.501, 66.632, 70.323]),
    backbone=dict(
        _delete_=True,
        type='florence.CoSwin',
        arch='tiny',
        out_indices=(0, 1, 2, 3),
        init_cfg=dict(
            type='Pretrained',
            prefix='image_tower.',
            checkpoint='work_dirs/unicl_coswin-t_stage1-1m_fld900m/iter_1000000.pth',
        ),
    ),
    neck=dict(in_channels=[96, 192, 384, 768]),
)
