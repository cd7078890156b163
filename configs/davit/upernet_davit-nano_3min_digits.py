# UperNet over the image tower of Florence-2's twin: which digit each pixel of a scene shows. The stage that the twin lacks
# starts from random weights. Six pixels of seven show the ground: with the same weight as digits they drown what tells one digit
# from another.
#   bash tools/dist_train.sh configs/davit/upernet_davit-nano_3min_digits.py 2
# Hardware: two CPU cores, 3 minutes.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/upernet_davit-florence2-b.py',
    '../_base_/datasets/digit_scenes_segmentation.py',
    '../_base_/schedules/adamw_cosine.py',
]
max_iters = 600
warmup_iters = 50
norm_cfg = dict(type='BN')
model = dict(
    backbone=dict(
        arch='nano',
        init_cfg=dict(
            type='Pretrained', prefix='vision_tower.', checkpoint='work_dirs/florence2-nano_14min_digits/iter_1500.pth'
        ),
    ),
    decode_head=dict(num_classes=11, channels=64, drop_rate=0.0, norm_cfg=norm_cfg),
    auxiliary_head=dict(num_classes=11, channels=16, drop_rate=0.0, norm_cfg=norm_cfg),
    class_weight=(0.03, *[1.0] * 10),
    data_preprocessor=dict(bgr_to_rgb=False),
)
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=2e-3, betas=(0.9, 0.98), weight_decay=0.05))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
