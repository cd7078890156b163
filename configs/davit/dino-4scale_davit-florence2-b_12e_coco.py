# Florence-2's base tower in mmdet's DINO with four scales, COCO, 12 epochs (arXiv 2311.06242, section 6.4). Published: 59.2 AP;
# with frozen stages, see README.md.
#   python tools/model_converters/davit_to_florence.py Florence-2-base/pytorch_model.bin work_dirs/davit_florence2-b.pth \
#       --prefix vision_tower.
#   bash tools/dist_train.sh configs/davit/dino-4scale_davit-florence2-b_12e_coco.py 8
_base_ = ['mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='florence.DaViT',
        arch='florence2-base',
        out_indices=(1, 2, 3),
        out_norms=True,
        frozen_stages=-1,
        with_cp=True,
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/davit_florence2-b.pth'),
    ),
    neck=dict(in_channels=[256, 512, 1024]),
)
optim_wrapper = dict(constructor='florence.GroupedOptimWrapperConstructor')
default_hooks = dict(class_list=dict(type='florence.ClassListHook'))
