# Stage 2 on digit scenes: templated short texts are dropped (arXiv 2111.11432, section 2.2). Starts from the latest checkpoint
# of stage 1; --load-from names another.
#   bash tools/dist_train.sh configs/unicl/unicl_coswin-nano_5min-stage2_digits.py 2
# Hardware: two CPU cores, under five minutes.
_base_ = './unicl_coswin-nano_10min_digits.py'
load_from = 'work_dirs/unicl_coswin-nano_10min_digits'
max_iters = 800
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
train_dataloader = dict(dataset=dict(seed=1, granularity_probs=dict(short=0.0, medium=0.4, detailed=0.6)))
optim_wrapper = dict(optimizer=dict(lr=4e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=50, end=max_iters, eta_min=1e-6),
]
