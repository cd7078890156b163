# Pseudo-labels from a teacher that follows the student (Soft Teacher, arXiv 2106.09018) on a tenth of COCO's labels: mmdet's
# method around CoSwin-T, FPN and Dynamic Head. Published for ResNet-50: 34.0 AP.
#   bash tools/dist_train.sh configs/dyhead/soft-teacher_faster-rcnn-dyhead6_coswin-t_180k_coco-10pct.py 8
_base_ = ['mmdet::soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py']
preprocessor = dict(
    type='DetDataPreprocessor',
    mean=[122.771, 116.746, 104.094],
    std=[68.501, 66.632, 70.323],
    bgr_to_rgb=True,
    pad_size_divisor=32,
)
model = dict(
    data_preprocessor=dict(data_preprocessor=preprocessor),
    detector=dict(
        data_preprocessor=preprocessor,
        backbone=dict(
            _delete_=True,
            type='florence.CoSwin',
            arch='tiny',
            out_indices=(0, 1, 2, 3),
            init_cfg=dict(
                type='Pretrained',
                prefix='image_tower.',
                checkpoint='work_dirs/unicl_coswin-t_stage1-1m_fld900m/iter_1000000.pth',
            ),
        ),
        neck=[
            dict(type='FPN', in_channels=[96, 192, 384, 768], out_channels=256, num_outs=5),
            dict(type='florence.DyHead', in_channels=256, out_channels=256, num_blocks=6, task_attention=False),
        ],
    ),
)
optim_wrapper = dict(
    constructor='florence.GroupedOptimWrapperConstructor',
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=0.05),
)
default_hooks = dict(class_list=dict(type='florence.ClassListHook'))
