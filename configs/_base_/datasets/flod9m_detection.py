# FLOD-9M (arXiv 2111.11432, section 2.4): COCO, LVIS, OpenImages, Objects365 and pseudo-boxes on ImageNet-22K in one taxonomy,
# made by tools/dataset_converters/merge_flod.py and pseudo_boxes.py. What was looked for in each image goes with it; where
# boxes are missing, what looks like background counts less.
data_root = 'data/flod9m/'
flod_meta_keys = (
    'img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip', 'flip_direction', 'checked_labels', 'negative_weight',
    'label_scores',
)  # fmt: skip
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomResize', scale=[(1333, 480), (1333, 800)], keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs', meta_keys=flod_meta_keys),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
train_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='AspectRatioBatchSampler'),
    dataset=dict(
        type='florence.CocoDetection',
        data_root=data_root,
        ann_file='flod9m.json',
        filter_empty=True,
        with_masks=False,
        negative_weights=dict(lvis=0.5, openimages=0.5, imagenet22k=0.1),
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
        data_root='data/coco/',
        ann_file='annotations/instances_val2017.json',
        img_prefix='val2017/',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='florence.CocoDetectionMetric', ann_file='data/coco/annotations/instances_val2017.json')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
