# Florence-2 (arXiv 2311.06242) at the size of digit scenes: one model, all tasks mixed.
#   bash tools/dist_train.sh configs/florence2/florence2-nano_25min_digits.py 2
# Hardware: two CPU cores, 25 minutes. Expected figures on held-out scans: metafile.yml.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/florence2-nano.py',
    '../_base_/datasets/digit_scenes_florence2.py',
    '../_base_/schedules/adamw_cosine.py',
]
max_iters = 3000
warmup_iters = 200
train_cfg = dict(max_iters=max_iters, val_interval=1000)
optim_wrapper = dict(optimizer=dict(lr=1.5e-3, betas=(0.9, 0.98), weight_decay=0.05, fused=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-5),
]
