# Visual question answering on digit scenes, the embedded twin of Florence's VQA fine-tuning (arXiv 2111.11432, section 3.7). The
# image tower starts from the UniCL recipe's checkpoint, everything else from random weights.
#   bash tools/dist_train.sh configs/meter/meter-vqa_coswin-nano_12min_digits.py 2
# Hardware: two CPU cores, twelve minutes. Expected figures on held-out scans: metafile.yml.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/meter_coswin-nano.py',
    '../_base_/datasets/digit_scenes_vqa.py',
    '../_base_/schedules/adamw_cosine.py',
]
unicl_checkpoint = 'work_dirs/quickstart/iter_1800.pth'
max_iters = 3000
warmup_iters = 100
model = dict(
    encoder=dict(image_tower=dict(init_cfg=dict(type='Pretrained', checkpoint=unicl_checkpoint, prefix='image_tower'))),
    head=dict(type='VQAHead', answers={{_base_.answers}}),
)
train_cfg = dict(max_iters=max_iters, val_interval=250)
optim_wrapper = dict(
    optimizer=dict(lr=1e-3, betas=(0.9, 0.98), weight_decay=0.05, fused=True),
    paramwise_cfg=dict(custom_keys=dict(image_tower=dict(lr_mult=0.5))),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-5),
]
