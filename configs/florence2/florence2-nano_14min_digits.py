# Florence-2 (arXiv 2311.06242) at the size of digit scenes: one model, all tasks mixed, one or two digits at 48 px. The second
# of two phases; both, again after a kill:
#   FLORENCE_RANKS=2 bash tools/train_phases.sh configs/florence2/florence2-nano_7min-texts_digits.py \
#       configs/florence2/florence2-nano_14min_digits.py
# Hardware: two CPU cores, 14 minutes, 17 to 25 with the first phase. Expected figures on held-out scans: metafile.yml.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/florence2-nano.py',
    '../_base_/datasets/digit_scenes_florence2.py',
    '../_base_/schedules/adamw_cosine.py',
]
load_from = 'work_dirs/florence2-nano_7min-texts_digits'
max_iters = 1500
warmup_iters = 100
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=1e-3, betas=(0.9, 0.98), weight_decay=0.05, fused=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-5),
]
