# What flies in infrared videos (48 real videos), half of them for training: Video CoSwin-nano from the image tower that UniCL
# trained on digit scenes. video-coswin-nano_random_drone-ir.py is the same recipe from random weights.
#   bash tools/dist_train.sh configs/video_coswin/video-coswin-nano_drone-ir.py 2
# The videos lie in data/video_drone_ir/; --cfg-options {train,val,test}_dataloader.dataset.data_root=FOLDER names another folder.
# Hardware: two CPU cores, minutes. Expected figures: metafile.yml.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/recognizer3d_video-coswin-nano.py',
    '../_base_/datasets/video_drone_ir.py',
    '../_base_/schedules/adamw_cosine.py',
]
unicl_checkpoint = 'work_dirs/quickstart/iter_1800.pth'
max_iters = 200
warmup_iters = 20
default_hooks = dict(logger=dict(interval=20))
train_cfg = dict(max_iters=max_iters, val_interval=100)
model = dict(
    backbone=dict(drop_path_rate=0.1, init_cfg=dict(type='Pretrained', prefix='image_tower.', checkpoint=unicl_checkpoint)),
    cls_head=dict(num_classes=4, dropout_ratio=0.5, topk=(1,)),
)
optim_wrapper = dict(optimizer=dict(lr=3e-4, betas=(0.9, 0.999), weight_decay=0.05))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
