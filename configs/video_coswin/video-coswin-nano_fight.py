# Fights in surveillance videos (44 real videos), half of them for training: Video CoSwin-nano from the tower that learnt the
# actions of digits (video-coswin-nano_digits.py), because a fight is told by its motion.
# video-coswin-nano_random_fight.py is the same recipe from random weights.
#   bash tools/dist_train.sh configs/video_coswin/video-coswin-nano_fight.py 2
# The videos lie in data/video_fight/; --cfg-options {train,val,test}_dataloader.dataset.data_root=FOLDER names another folder.
# Hardware: two CPU cores, minutes. Expected figures: metafile.yml.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/recognizer3d_video-coswin-nano.py',
    '../_base_/datasets/video_fight.py',
    '../_base_/schedules/adamw_cosine.py',
]
actions_checkpoint = 'work_dirs/video-coswin-nano_digits/iter_800.pth'
max_iters = 150
warmup_iters = 20
default_hooks = dict(logger=dict(interval=20))
train_cfg = dict(max_iters=max_iters, val_interval=75)
model = dict(
    backbone=dict(drop_path_rate=0.1, init_cfg=dict(type='Pretrained', prefix='backbone.', checkpoint=actions_checkpoint)),
    cls_head=dict(num_classes=2, dropout_ratio=0.5, topk=(1,)),
)
optim_wrapper = dict(optimizer=dict(lr=3e-4, betas=(0.9, 0.999), weight_decay=0.05))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
