# Florence's text-video retrieval on MSR-VTT with tubes of frames (arXiv 2111.11432, section 3.8 and Table 9: 37.6 / 63.8 / 72.6 %
# zero-shot). The paper does not fine-tune here; the schedule is CLIP4Clip's (arXiv 2104.08860), its rates ours. Not run here.
# Zero-shot:
#   python tools/test.py configs/video_coswin/retrieval-tube_video-coswin-h_5e-224_msrvtt.py STAGE3.pth --out msrvtt.json
#   python tools/leaderboards/retrieval_table.py write tables/ msrvtt=msrvtt.json
# Fine-tuned:
#   bash tools/dist_train.sh configs/video_coswin/retrieval-tube_video-coswin-h_5e-224_msrvtt.py 8 --load-from STAGE3.pth
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/video_two_tower_video-coswin-h.py',
    '../_base_/datasets/msrvtt_retrieval_224.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/strategies/florence_paper.py',
]
max_iters = 350  # 5 epochs of 9,000 videos in batches of 128
warmup_iters = 35
train_cfg = dict(max_iters=max_iters, val_interval=70)
optim_wrapper = dict(type='AmpOptimWrapper', dtype='bfloat16', optimizer=dict(lr=1e-5))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
