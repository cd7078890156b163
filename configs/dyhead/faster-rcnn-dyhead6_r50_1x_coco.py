# Dynamic Head in a two-stage detector: scale and spatial attention before the regions are pooled, without the task attention,
# which belongs after the pooling (arXiv 2106.08322, section 3.3). Published (official code, with task attention): 40.3 AP.
#   bash tools/dist_train.sh configs/dyhead/faster-rcnn-dyhead6_r50_1x_coco.py 8
_base_ = [
    '../_base_/detection_runtime.py',
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/detection_12e.py',
]
model = dict(
    neck=[
        dict(type='FPN', in_channels=[256, 512, 1024, 2048], out_channels=256, num_outs=5),
        dict(type='florence.DyHead', in_channels=256, out_channels=256, num_blocks=6, task_attention=False),
    ],
)
optim_wrapper = dict(
    constructor='DefaultOptimWrapperConstructor',
    optimizer=dict(_delete_=True, type='SGD', lr=0.02, momentum=0.9, weight_decay=1e-4),
)
