# CoSwin-T in mmdet's DINO with four scales, COCO, 12 epochs. Published for Swin-T: 51.3 AP.
#   bash tools/dist_train.sh configs/dyhead/dino-4scale_coswin-t_12e_coco.py 8
_base_ = ['mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py']
model = dict(
    data_preprocessor=dict(mean=[122.771, 116.746, 104.094], std=[68.501, 66.632, 70.323]),
    backbone=dict(
        _delete_=True,
        type='florence.CoSwin',
        arch='tiny',
        out_indices=(1, 2, 3),
        init_cfg=dict(
            type='Pretrained',
            prefix='image_tower.',
            checkpoint='work_dirs/unicl_coswin-t_stage1-1m_fld900m/iter_1000000.pth',
        ),
    ),
    neck=dict(in_channels=[192, 384, 768]),
)
optim_wrapper = dict(constructor='florence.GroupedOptimWrapperConstructor')
default_hooks = dict(class_list=dict(type='florence.ClassListHook'))
