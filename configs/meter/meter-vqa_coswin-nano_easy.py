# Visual question answering on easy-VQA, a published set of drawings with 13 answers; the whole set of 5,000 images and 48,000
# questions is in the Python package easy-vqa, whose folders `train` and `test` belong in `data/vqa_easy`. Starts from the
# latest checkpoint of the pretraining twin, which knows colours: of 600 images alone it learns little more than the prior.
#   bash tools/dist_train.sh configs/meter/meter-vqa_coswin-nano_easy.py 2
# Hardware: two CPU cores. Expected figures on the test questions: metafile.yml.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/meter_coswin-nano.py',
    '../_base_/datasets/vqa_easy.py',
    '../_base_/schedules/adamw_cosine.py',
]
load_from = 'work_dirs/meter-pretrain_coswin-nano_digits'
max_iters = 1200
warmup_iters = 40
model = dict(head=dict(type='VQAHead', answers={{_base_.answers}}, first_score=0.08))
train_cfg = dict(max_iters=max_iters, val_interval=400)
optim_wrapper = dict(
    optimizer=dict(lr=5e-4, betas=(0.9, 0.98), weight_decay=0.05, fused=True),
    paramwise_cfg=dict(custom_keys=dict(image_tower=dict(lr_mult=0.5), head=dict(lr_mult=2.0))),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-5),
]
