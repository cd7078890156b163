# CoSwin-T on a mixture of public sets (CC3M, CC12M, SBU), an example of weighted sources: 30,000 iterations of 4,096 pairs at
# 224 px, about 7 passes over 17 M pairs. Not a setting of the paper, which names no weights; not run here.
#   bash tools/dist_train.sh configs/unicl/unicl_coswin-t_stage1-30k_cc15m.py 8
# Hardware: one machine of 8 GPUs.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/two_tower_coswin-h.py',
    '../_base_/datasets/cc15m.py',
    '../_base_/schedules/adamw_cosine.py',
]
model = dict(image_tower=dict(arch='tiny'), text_tower=dict(arch='tiny'), embed_dims=512)
max_iters = 30_000
warmup_iters = 2000
train_cfg = dict(max_iters=max_iters, val_interval=5000)
train_dataloader = dict(batch_size=512)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
