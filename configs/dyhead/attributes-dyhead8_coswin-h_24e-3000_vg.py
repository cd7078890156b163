# Objects and attributes of Visual Genome (arXiv 2111.11432, section 3.6): longer side at most 3000, 24 epochs, attributes
# learned from 1 x 1 RoI pooling on the last map of CoSwin. VinVL's selection: 1,594 classes, 524 attributes. Paper: 16.2 AP50.
#   bash tools/dist_train.sh configs/dyhead/attributes-dyhead8_coswin-h_24e-3000_vg.py 8 --amp
_base_ = './atss-dyhead8_coswin-h_12e-2500_coco.py'
detector = _base_.model
detector.update(_scope_='mmdet', init_cfg=dict(type='Pretrained', checkpoint=_base_.flod_checkpoint))
detector.bbox_head.num_classes = 1594
model = dict(
    _delete_=True,
    type='florence.AttributeDetector',
    detector=detector,
    attribute_head=dict(type='florence.AttributeHead', in_channels=2048, num_classes=1594, num_attributes=524),
)
load_from = None  # the pretrained weights go into the detector, by its init_cfg
max_epochs = 24
train_cfg = dict(max_epochs=max_epochs, val_interval=4)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=1000),
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=max_epochs, milestones=[16, 22], gamma=0.1),
]
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomResize', scale=[(3000, 640), (3000, 1600)], keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='florence.PackAttributes'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(3000, 1600), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='florence.PackAttributes',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'instances'),
    ),
]
data_root = 'data/visual_genome/'
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='florence.VisualGenome',
        data_root=data_root,
        ann_file='vinvl_train.json',
        data_prefix=dict(img='images/'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='florence.VisualGenome',
        data_root=data_root,
        ann_file='vinvl_test.json',
        data_prefix=dict(img='images/'),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(_delete_=True, type='florence.VisualGenomeMetric')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='vg/object_mAP50'))
