# Florence's action recognition on Kinetics-600 (arXiv 2111.11432, section 3.8 and table 10): Video CoSwin-H from the image tower
# of the last pretraining stage, 384 px, 30 epochs, learning rate 2e-4, drop path 0.5, label smoothing, RandAugment, 4 x 3 views.
# Paper: 87.8 top-1, 97.8 top-5 with 647 M parameters. It names neither frames (Video Swin's 32 at every second one), nor batch,
# windows, mixing (mixup 0.8 and cutmix 1 as in X-CLIP, arXiv 2208.02816; it needs two clips of a rank), smoothing (0.1), nor
# whether the backbone learns slower than the head (at a tenth, as Video Swin's). Not run here.
#   bash tools/dist_train.sh configs/video_coswin/video-coswin-h_30e-384_k600.py 8   (on 4 machines of 8 GPUs with 80 GB)
_base_ = [
    '../_base_/action_runtime.py',
    '../_base_/models/recognizer3d_video-coswin-h.py',
    '../_base_/datasets/k600.py',
    '../_base_/datasets/action_views_384.py',
    '../_base_/schedules/action_30e.py',
]
pretrained_checkpoint = 'work_dirs/unicl_coswin-h_stage3-80k-384_fld900m/iter_80000.pth'
model = dict(
    data_preprocessor=dict(
        blending=dict(
            type='RandomBatchAugment',
            augments=[
                dict(type='MixupBlending', alpha=0.8, num_classes=600),
                dict(type='CutmixBlending', alpha=1.0, num_classes=600),
            ],
        ),
    ),
    backbone=dict(
        init_cfg=dict(type='Pretrained', prefix='image_tower.', checkpoint=pretrained_checkpoint),
    ),
    cls_head=dict(num_classes=600, label_smooth_eps=0.1),
)
train_dataloader = dict(batch_size=2, dataset=dict(pipeline=_base_.views_384_train))
val_dataloader = dict(batch_size=1, dataset=dict(pipeline=_base_.views_384_val))
test_dataloader = dict(batch_size=1, dataset=dict(pipeline=_base_.views_384_test))
