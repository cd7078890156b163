# Eighty photographs of COCO on a CPU: far too few for a figure worth stating; the recipe overfits them, which shows that it
# learns.
#   python tools/train.py configs/dyhead/atss-dyhead2_coswin-nano_24e_coco-mini.py
# Hardware: two CPU cores, five minutes.
_base_ = [
    '../_base_/detection_runtime.py',
    '../_base_/models/atss-dyhead_coswin-nano.py',
    '../_base_/datasets/coco_mini_detection.py',
    '../_base_/schedules/detection_12e.py',
]
unicl_checkpoint = 'work_dirs/quickstart/iter_1800.pth'
max_epochs = 24
train_cfg = dict(max_epochs=max_epochs, val_interval=8)
model = dict(
    backbone=dict(
        out_indices=(1, 2, 3),
        init_cfg=dict(type='Pretrained', prefix='image_tower.', checkpoint=unicl_checkpoint),
    ),
    neck=[
        dict(type='FPN', in_channels=[96, 192, 256], out_channels=64, add_extra_convs='on_output', num_outs=4),
        dict(type='florence.DyHead', in_channels=64, out_channels=64, num_blocks=2),
    ],
    bbox_head=dict(num_classes=80, anchor_generator=dict(strides=[8, 16, 32, 64])),
)
optim_wrapper = dict(optimizer=dict(lr=1e-3), clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=max_epochs, eta_min=1e-5, convert_to_iter_based=True),
]
