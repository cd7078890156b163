# Text-video retrieval on digit clips with tubes of frames, the embedded twin of Florence's on MSR-VTT (arXiv 2111.11432, section
# 3.8). Starts from the image-text model of the quick start, the image tower with a time axis added.
#   bash tools/dist_train.sh configs/video_coswin/retrieval-tube_video-coswin-nano_digits.py 2
# Zero-shot, without training:
#   python tools/test.py configs/video_coswin/retrieval-tube_video-coswin-nano_digits.py work_dirs/quickstart/iter_1800.pth
# Hardware: two CPU cores. Expected figures on held-out scans: metafile.yml.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/video_two_tower_video-coswin-nano.py',
    '../_base_/datasets/digit_clip_retrieval.py',
    '../_base_/schedules/adamw_cosine.py',
]
load_from = 'work_dirs/quickstart/iter_1800.pth'
max_iters = 600
warmup_iters = 50
train_cfg = dict(max_iters=max_iters, val_interval=300)
train_dataloader = dict(batch_size=64)  # per rank, two ranks
optim_wrapper = dict(optimizer=dict(lr=1e-3, betas=(0.9, 0.999), weight_decay=0.05, fused=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-5),
]
