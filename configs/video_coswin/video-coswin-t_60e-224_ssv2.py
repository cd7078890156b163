# Video CoSwin-T on Something-Something V2 with the recipe of Video Swin (arXiv 2106.13230): from the Kinetics-400 checkpoint, 60
# epochs, learning rate 3e-4, windows of 16 steps, drop path 0.4, label smoothing; its random erasing (probability 0.25) is left
# out. Published for Video Swin-B: 69.6 top-1, 92.7 top-5. Not run here.
#   bash tools/dist_train.sh configs/video_coswin/video-coswin-t_60e-224_ssv2.py 8
_base_ = [
    '../_base_/action_runtime.py',
    '../_base_/models/recognizer3d_video-coswin-t.py',
    '../_base_/datasets/ssv2.py',
    '../_base_/schedules/action_30e.py',
]
load_from = 'work_dirs/video-coswin-t_30e-224_k400/epoch_30.pth'
max_epochs = 60
train_cfg = dict(max_epochs=max_epochs)
model = dict(
    backbone=dict(drop_path_rate=0.4, window_size=((16, 7, 7), (16, 7, 7), (16, 7, 7), (16, 7, 7))),
    cls_head=dict(num_classes=174, label_smooth_eps=0.1),
)
optim_wrapper = dict(optimizer=dict(lr=3e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=2.5, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,
        begin=2.5,
        end=max_epochs,
        T_max=max_epochs - 2.5,
        eta_min=0,
        convert_to_iter_based=True,
    ),
]
