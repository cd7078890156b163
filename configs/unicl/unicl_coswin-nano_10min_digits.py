# UniCL on digit scenes, the embedded twin of Florence's pretraining (arXiv 2111.11432, section 2.2): stage 1 with templated texts.
#   bash tools/dist_train.sh configs/unicl/unicl_coswin-nano_10min_digits.py 2
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/two_tower_coswin-nano.py',
    '../_base_/datasets/digit_scenes.py',
    '../_base_/schedules/adamw_cosine.py',
]
max_iters = 1800
warmup_iters = 200
train_cfg = dict(max_iters=max_iters, val_interval=600)
train_dataloader = dict(batch_size=128)  # per rank
optim_wrapper = dict(optimizer=dict(lr=1.5e-3, weight_decay=0.05))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-5),
]
