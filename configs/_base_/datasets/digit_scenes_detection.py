# Digit scenes with a box for every digit: up to four real handwritten digits in a composed scene, rendered on the fly; train and
# test show different scans. Samples are those of mmdet's COCO data set.
default_scope = 'mmdet'
image_size = 64
recipe = dict(image_size=image_size, num_objects_probs=(0.25, 0.25, 0.25, 0.25), pairs='all')
train_pipeline = [
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(image_size, image_size)),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(image_size, image_size)),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'instances')),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=False),
    dataset=dict(
        type='florence.DigitSceneDetection', num_scenes=10_000_000, split='train', recipe=recipe, pipeline=train_pipeline
    ),
)
val_dataloader = dict(
    batch_size=50,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='florence.DigitSceneDetection', num_scenes=500, split='test', recipe=recipe, pipeline=test_pipeline),
)
val_evaluator = dict(type='florence.CocoDetectionMetric')
val_cfg = dict(type='ValLoop')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type='TestLoop')
