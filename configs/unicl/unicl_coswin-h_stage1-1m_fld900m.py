# Florence, CoSwin-H (893 M): stage 1 of Florence's pretraining (arXiv 2111.11432, section 2.2): 1,000,000 iterations of
# 24,576 pairs at 224 px, short texts expanded by templates. Learning rate, decay and warm-up are not in the paper; these are
# the field's.
#   bash tools/dist_train.sh configs/unicl/unicl_coswin-h_stage1-1m_fld900m.py 8   (on each of 64 machines of 8 GPUs)
# Hardware: 512 A100 of 40 GB, 10 days for all stages. Not run here; the paper's H reaches 83.74 % zero-shot top-1 on
# ImageNet after all stages.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/two_tower_coswin-h.py',
    '../_base_/datasets/fld900m.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/strategies/florence_paper.py',
]
max_iters = 1_000_000
warmup_iters = 10_000
train_cfg = dict(max_iters=max_iters, val_interval=20_000)
train_dataloader = dict(batch_size=48)
optim_wrapper = dict(type='AmpOptimWrapper', dtype='bfloat16', optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-4),
]
