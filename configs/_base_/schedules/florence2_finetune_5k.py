# Fine-tuning of Florence-2 on sets of 15,000 to 40,000 images or questions: about ten epochs at 64 a step.
_base_ = './florence2_finetune.py'
max_iters = 5_000
warmup_iters = 500
train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 10)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
