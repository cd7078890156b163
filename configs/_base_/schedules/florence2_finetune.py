# Fine-tuning of Florence-2: its hyper-parameters are not published (arXiv 2311.06242), these are the field's. Ten
# epochs of COCO at 64 images a step.
_base_ = './adamw_cosine.py'
max_iters = 18_480
warmup_iters = 500
train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 10)
optim_wrapper = dict(
    type='AmpOptimWrapper', dtype='bfloat16', optimizer=dict(lr=1e-5, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
