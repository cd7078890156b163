# METER's fine-tuning on NLVR2 (arXiv 2111.02387, table 11) with Florence's towers: 10 epochs at 1e-5, batch 256. Florence reports
# no NLVR2 figure. Not run here.
#   bash tools/dist_train.sh configs/meter/meter-coswin-h_nlvr2-10e-288_nlvr2.py 32
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/meter_coswin-h.py',
    '../_base_/datasets/nlvr2.py',
    '../_base_/schedules/meter_finetune.py',
    '../_base_/strategies/florence_paper.py',
]
load_from = 'checkpoints/meter-coswin-h_pretrain-43e-384_14m.pth'
max_iters = 3370  # 10 epochs of 86,373 sentences in batches of 256
warmup_iters = max_iters // 10
model = dict(
    encoder=dict(image_tower=dict(window_size=9), num_images=2),
    head=dict(type='SentenceHead', classes=('false', 'true'), num_images=2),
)
train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 10)
optim_wrapper = dict(optimizer=dict(lr=1e-5), paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=10.0))))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='PolyLR', power=1.0, by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
