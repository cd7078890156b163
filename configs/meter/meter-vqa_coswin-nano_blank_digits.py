# The language-only baseline of visual question answering on digit scenes: the same questions, every image black.
#   bash tools/dist_train.sh configs/meter/meter-vqa_coswin-nano_blank_digits.py 2
# Hardware: two CPU cores, three minutes.
_base_ = './meter-vqa_coswin-nano_digits.py'
pipeline = [dict(type='BlankImage'), dict(type='PackImageText')]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
val_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
max_iters = 300
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=50, end=max_iters, eta_min=1e-5),
]
