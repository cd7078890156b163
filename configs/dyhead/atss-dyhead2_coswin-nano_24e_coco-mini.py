# Eighty photographs of COCO on a CPU: far too few for a figure worth stating; the recipe overfits them, which shows that it
# learns.
#   python tools/train.py configs/dyhead/atss-dyhead2_coswin-nano_24e_coco-mini.py
# Hardware: two CPU cores, five minutes.
_base_ = [
    '../_base_/detection_runtime.py',
    '../_base_/models/atss-dyhead_coswin-nano_photos.py',
    '../_base_/datasets/coco_mini_detection.py',
    '../_base_/schedules/detection_24e_small.py',
]
unicl_checkpoint = 'work_dirs/quickstart/iter_1800.pth'
model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', prefix='image_tower.', checkpoint=unicl_checkpoint)),
    bbox_head=dict(num_classes=80),
)
