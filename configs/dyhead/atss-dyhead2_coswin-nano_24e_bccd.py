# Blood cells on a CPU: the small detector of the digit scenes, from the same image tower, on 205 real photographs.
#   python tools/train.py configs/dyhead/atss-dyhead2_coswin-nano_24e_bccd.py
# Hardware: two CPU cores, ten minutes. Expected figures on the 72 test images: README.md of this folder.
_base_ = [
    '../_base_/detection_runtime.py',
    '../_base_/models/atss-dyhead_coswin-nano_photos.py',
    '../_base_/datasets/bccd_detection.py',
    '../_base_/schedules/detection_24e_small.py',
]
unicl_checkpoint = 'work_dirs/quickstart/iter_1800.pth'
model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', prefix='image_tower.', checkpoint=unicl_checkpoint)),
    bbox_head=dict(num_classes=3),
)
