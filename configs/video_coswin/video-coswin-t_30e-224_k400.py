# Video CoSwin-T on Kinetics-400 with the recipe of Video Swin (arXiv 2106.13230): 32 frames at every second one, 224 px, 30
# epochs, 4 x 3 views. Published for Video Swin-T: 78.8 top-1, 93.6 top-5. Not run here.
#   bash tools/dist_train.sh configs/video_coswin/video-coswin-t_30e-224_k400.py 8
_base_ = [
    '../_base_/action_runtime.py',
    '../_base_/models/recognizer3d_video-coswin-t.py',
    '../_base_/datasets/k400.py',
    '../_base_/schedules/action_30e.py',
]
pretrained_checkpoint = 'work_dirs/unicl_coswin-t_stage1-1m_fld900m/iter_1000000.pth'
model = dict(
    backbone=dict(
        drop_path_rate=0.1,
        init_cfg=dict(type='Pretrained', prefix='image_tower.', checkpoint=pretrained_checkpoint),
    ),
    cls_head=dict(num_classes=400),
)
optim_wrapper = dict(optimizer=dict(lr=1e-3, weight_decay=0.02))
