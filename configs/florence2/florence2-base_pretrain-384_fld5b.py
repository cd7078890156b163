# Florence-2 base, first stage of the pretraining (arXiv 2311.06242, section 6.1): 3 B samples at 384 px in batches of 2,048,
# learning rate 1e-4 after 5,000 steps of warm-up, cosine; the vision tower starts from UniCL, the language model from BART (their
# files are not bundled: --load-from, or init_cfg of the parts). Decay, betas and the mixture of tasks are not in the paper.
#   bash tools/dist_train.sh configs/florence2/florence2-base_pretrain-384_fld5b.py 8   (on each of 8 machines of 8 GPUs)
# Hardware: 64 GPUs. Not run here.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/florence2-base.py',
    '../_base_/datasets/fld5b.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/strategies/deepspeed_zero1.py',
]
max_iters = 1_464_844
warmup_iters = 5_000
train_cfg = dict(max_iters=max_iters, val_interval=20_000)
optim_wrapper = dict(
    type='AmpOptimWrapper', dtype='bfloat16', optimizer=dict(lr=1e-4, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
