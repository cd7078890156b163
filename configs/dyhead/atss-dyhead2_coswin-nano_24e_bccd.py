# Blood cells on a CPU: the small detector of the digit scenes, from the same image tower, on 205 real photographs.
#   python tools/train.py configs/dyhead/atss-dyhead2_coswin-nano_24e_bccd.py
# Hardware: two CPU cores, ten minutes. Expected figures on the 72 test images: README.md of this folder.
_base_ = [
    '../_base_/detection_runtime.py',
    '../_base_/models/atss-dyhead_coswin-nano.py',
    '../_base_/datasets/bccd_detection.py',
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
    # An anchor is four strides wide: 32 to 256 pixels; platelets have about 20, red cells 50, white ones 100.
    bbox_head=dict(num_classes=3, anchor_generator=dict(strides=[8, 16, 32, 64])),
)
optim_wrapper = dict(optimizer=dict(lr=1e-3), clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=max_epochs, eta_min=1e-5, convert_to_iter_based=True),
]
