# Visual question answering on easy-VQA, a published set of drawings with 13 answers; the whole set of 5,000 images and 48,000
# questions is in the Python package easy-vqa, whose folders `train` and `test` belong in `data/vqa_easy`. Everything starts from
# random weights.
#   bash tools/dist_train.sh configs/meter/meter-vqa_coswin-nano_easy.py 2
# Hardware: two CPU cores. Expected figures on the test questions: metafile.yml.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/meter_coswin-nano.py',
    '../_base_/datasets/vqa_easy.py',
    '../_base_/schedules/adamw_cosine.py',
]
max_iters = 800
warmup_iters = 100
model = dict(head=dict(type='VQAHead', answers={{_base_.answers}}, first_score=0.08))
train_cfg = dict(max_iters=max_iters, val_interval=400)
optim_wrapper = dict(optimizer=dict(lr=1e-3, betas=(0.9, 0.98), weight_decay=0.05, fused=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-5),
]
