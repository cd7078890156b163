# DaViT-T in mmdet's Mask R-CNN, each map with a norm of its own as in the authors' detectors. Another tower changes arch,
# init_cfg and the neck's in_channels. `model.backbone.frozen_stages=K` keeps the stem and the first K stages as they were
# pretrained.
_base_ = 'mmdet::_base_/models/mask-rcnn_r50_fpn.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='florence.DaViT',
        arch='tiny',
        out_indices=(0, 1, 2, 3),
        out_norms=True,
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/davit-t_imagenet.pth'),
    ),
    neck=dict(in_channels=[96, 192, 384, 768]),
)
