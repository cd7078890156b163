# COCO 2017 boxes at the usual 1333 x 800. Another data set in COCO's format changes data_root, the annotation files and the
# model's num_classes.
data_root = 'data/coco/'
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='AspectRatioBatchSampler'),
    dataset=dict(
        type='florence.CocoDetection',
        data_root=data_root,
        ann_file='annotations/instances_train2017.json',
        img_prefix='train2017/',
        filter_empty=True,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='florence.CocoDetection',
        data_root=data_root,
        ann_file='annotations/instances_val2017.json',
        img_prefix='val2017/',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='florence.CocoDetectionMetric', ann_file=data_root + 'annotations/instances_val2017.json')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
