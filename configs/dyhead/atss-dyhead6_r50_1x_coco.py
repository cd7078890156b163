# Our Dynamic Head on mmdet's ResNet-50, 12 epochs of SGD, as mmdet's own config of the same name. Published: 43.3 AP with mmdet's
# 3 x 3 predictors; 42.5 with the official code's 1 x 1, used here.
#   bash tools/dist_train.sh configs/dyhead/atss-dyhead6_r50_1x_coco.py 8
_base_ = './atss-dyhead6_coswin-t_1x_coco.py'
model = dict(
    data_preprocessor=dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=50,
        num_stages=4,
        out_indices=(1, 2, 3),
        frozen_stages=1,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=True,
        style='pytorch',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    neck=[
        dict(type='FPN', in_channels=[512, 1024, 2048], out_channels=256, add_extra_convs='on_output', num_outs=5),
        dict(type='florence.DyHead', in_channels=256, out_channels=256, num_blocks=6),
    ],
)
optim_wrapper = dict(
    constructor='DefaultOptimWrapperConstructor',
    optimizer=dict(_delete_=True, type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4),
)
