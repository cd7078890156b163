# Florence-2 large, first stage of the pretraining (arXiv 2311.06242, section 6.1): as base, with batches of 3,072 and 1e-5;
# 770.2 M parameters (today's release has 4,096 positions and 776.5 M).
#   bash tools/dist_train.sh configs/florence2/florence2-large_pretrain-384_fld5b.py 8   (on each of 12 machines of 8 GPUs)
# Hardware: 96 GPUs. Not run here.
_base_ = './florence2-base_pretrain-384_fld5b.py'
max_iters = 976_563
warmup_iters = 5_000
train_cfg = dict(max_iters=max_iters)
model = dict(vision_tower=dict(arch='florence2-large'), language_model=dict(arch='large'))
optim_wrapper = dict(optimizer=dict(lr=1e-5))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
