# METER's fine-tuning on SNLI-VE (arXiv 2111.02387, table 11) with Florence's towers: 5 epochs at 2e-6, batch 64. Florence reports
# no SNLI-VE figure. Not run here.
#   bash tools/dist_train.sh configs/meter/meter-coswin-h_snli-ve-5e-384_snli-ve.py 4
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/meter_coswin-h.py',
    '../_base_/datasets/snli_ve.py',
    '../_base_/schedules/meter_finetune.py',
    '../_base_/strategies/florence_paper.py',
]
load_from = 'checkpoints/meter-coswin-h_pretrain-43e-384_14m.pth'
max_iters = 41370  # 5 epochs of 529,527 sentences in batches of 64
warmup_iters = max_iters // 10
model = dict(head=dict(type='SentenceHead', classes=('contradiction', 'neutral', 'entailment')))
train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 10)
optim_wrapper = dict(optimizer=dict(lr=2e-6), paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=10.0))))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='PolyLR', power=1.0, by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
