# What one frame tells of the action: the recipe of video-coswin-nano_digits.py on clips whose frames are all one frame of the
# clip, a random one in training, the middle one in tests. Chance is 10 %; the clips are made so that little more can be had.
#   bash tools/dist_train.sh configs/video_coswin/video-coswin-nano_one-frame_digits.py 2
# Hardware: two CPU cores. Expected figures on held-out scans: metafile.yml.
_base_ = 'video-coswin-nano_digits.py'
train_pipeline = [dict(type='florence.RepeatFrame'), *_base_.pipeline]
test_pipeline = [dict(type='florence.RepeatFrame', position=0.5), *_base_.pipeline]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
# Soon there is nothing more to learn.
max_iters = 400
train_cfg = dict(max_iters=max_iters, val_interval=200)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=50, end=max_iters, eta_min=1e-5),
]
