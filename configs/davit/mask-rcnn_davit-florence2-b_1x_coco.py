# Florence-2's base tower in mmdet's Mask R-CNN, COCO, 12 epochs, shorter side 480 to 800 (arXiv 2311.06242, section 6.4).
# Published: 53.6 box AP, 46.4 mask AP; with frozen stages, see README.md.
#   python tools/model_converters/davit_to_florence.py Florence-2-base/pytorch_model.bin work_dirs/davit_florence2-b.pth \
#       --prefix vision_tower.
#   bash tools/dist_train.sh configs/davit/mask-rcnn_davit-florence2-b_1x_coco.py 8
_base_ = [
    '../_base_/detection_runtime.py',
    '../_base_/models/mask-rcnn_davit-t.py',
    'mmdet::_base_/datasets/coco_instance.py',
    '../_base_/schedules/detection_12e.py',
]
model = dict(
    backbone=dict(
        arch='florence2-base',
        frozen_stages=-1,
        with_cp=True,
        init_cfg=dict(checkpoint='work_dirs/davit_florence2-b.pth'),
    ),
    neck=dict(in_channels=[128, 256, 512, 1024]),
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='RandomChoiceResize', scales=[(side, 1333) for side in range(480, 801, 32)], keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
