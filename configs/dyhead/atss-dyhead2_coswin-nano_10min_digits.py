# ATSS with Dynamic Head on CoSwin-nano: digits found in held-out scenes, the embedded twin of Florence's object-level adaptation
# (arXiv 2111.11432, section 2.4), from the image tower that UniCL trained on digit scenes.
#   bash tools/dist_train.sh configs/dyhead/atss-dyhead2_coswin-nano_10min_digits.py 2
# Hardware: two CPU cores. Expected figures on held-out scans: metafile.yml.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/atss-dyhead_coswin-nano.py',
    '../_base_/datasets/digit_scenes_detection.py',
    '../_base_/schedules/adamw_cosine.py',
]
unicl_checkpoint = 'work_dirs/quickstart/iter_1800.pth'
max_iters = 1000
warmup_iters = 100
default_hooks = dict(class_list=dict(type='florence.ClassListHook'))
train_cfg = dict(max_iters=max_iters, val_interval=500)
train_dataloader = dict(batch_size=16)  # per rank, two ranks
model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', prefix='image_tower.', checkpoint=unicl_checkpoint)),
)
optim_wrapper = dict(optimizer=dict(lr=1e-3, betas=(0.9, 0.999), weight_decay=0.05, fused=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-5),
]
