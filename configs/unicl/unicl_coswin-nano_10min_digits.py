# UniCL on digit scenes, the embedded twin of stage 1 of Florence's pretraining (arXiv 2111.11432, section 2.2): templated
# short texts.
#   bash tools/dist_train.sh configs/unicl/unicl_coswin-nano_10min_digits.py 2
# Hardware: two CPU cores, five minutes. Expected figures on held-out scans: metafile.yml.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/two_tower_coswin-nano.py',
    '../_base_/datasets/digit_scenes.py',
    '../_base_/schedules/adamw_cosine.py',
]
max_iters = 1800
warmup_iters = 150
train_cfg = dict(max_iters=max_iters, val_interval=600)
train_dataloader = dict(batch_size=128)  # per rank, two ranks
# The text tower learns slower: else it forgets, before the image tower can see digits, that digits differ.
optim_wrapper = dict(
    optimizer=dict(lr=1.2e-3, betas=(0.9, 0.999), weight_decay=0.05, fused=True),
    paramwise_cfg=dict(custom_keys=dict(text_tower=dict(lr_mult=0.3), text_proj=dict(lr_mult=0.3))),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-5),
]
