# Video CoSwin-nano on digit clips, the embedded twin of Florence's action recognition (arXiv 2111.11432, section 3.8): ten
# actions that no single frame tells, from the image tower that UniCL trained on digit scenes.
#   bash tools/dist_train.sh configs/video_coswin/video-coswin-nano_digits.py 2
# Hardware: two CPU cores. Expected figures on held-out scans: metafile.yml.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/recognizer3d_video-coswin-nano.py',
    '../_base_/datasets/digit_clips.py',
    '../_base_/schedules/adamw_cosine.py',
]
unicl_checkpoint = 'work_dirs/quickstart/iter_1800.pth'
max_iters = 800
warmup_iters = 50
train_cfg = dict(max_iters=max_iters, val_interval=400)
train_dataloader = dict(batch_size=32)  # per rank, two ranks
model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', prefix='image_tower.', checkpoint=unicl_checkpoint)),
    cls_head=dict(num_classes=10, dropout_ratio=0.0),
)
optim_wrapper = dict(optimizer=dict(lr=1e-3, betas=(0.9, 0.999), weight_decay=0.05, fused=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-5),
]
