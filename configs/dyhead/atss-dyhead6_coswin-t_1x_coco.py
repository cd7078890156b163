# ATSS + Dynamic Head (six blocks) on CoSwin-T, COCO, 12 epochs: the reference point of this family; the closest published
# figure is 49.8 AP of Dynamic Head on Swin-T after 24 multi-scale epochs.
#   bash tools/dist_train.sh configs/dyhead/atss-dyhead6_coswin-t_1x_coco.py 8
_base_ = [
    '../_base_/detection_runtime.py',
    '../_base_/models/atss-dyhead_coswin-t.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/detection_12e.py',
]
unicl_checkpoint = 'work_dirs/unicl_coswin-t_stage1-1m_fld900m/iter_1000000.pth'
model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', prefix='image_tower.', checkpoint=unicl_checkpoint)),
)
