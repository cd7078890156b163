# Blood cells (BCCD): 205 training, 87 validation and 72 test images of 640 x 480, three classes; one of the eleven sets of
# Florence's zero-shot table. Each split is a COCO file made from the VOC folder by tools/dataset_converters/voc_to_coco.py.
# Images are shown at a quarter of their area, for a CPU.
data_root = 'data/bccd/'
scale = (320, 240)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='RandomFlip', prob=0.5, direction=['horizontal', 'vertical']),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='florence.CocoDetection',
        data_root=data_root,
        ann_file='train.json',
        img_prefix='images/',
        filter_empty=True,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='florence.CocoDetection',
        data_root=data_root,
        ann_file='val.json',
        img_prefix='images/',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='florence.CocoDetectionMetric', ann_file=data_root + 'val.json', classwise=True)
test_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='florence.CocoDetection',
        data_root=data_root,
        ann_file='test.json',
        img_prefix='images/',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_evaluator = dict(type='florence.CocoDetectionMetric', ann_file=data_root + 'test.json', classwise=True)
