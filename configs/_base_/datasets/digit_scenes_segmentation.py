# Digit scenes with a class for every pixel: the ground and ten digits; train and test show different scans.
default_scope = 'mmdet'
recipe = dict(image_size=48, num_objects_probs=(0.5, 0.5), pairs='all')
pipeline = [dict(type='PackDetInputs', meta_keys=('img_path', 'ori_shape', 'img_shape'))]
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=False),
    dataset=dict(type='florence.DigitSceneSegmentation', num_scenes=10_000_000, split='train', recipe=recipe, pipeline=pipeline),
)
val_dataloader = dict(
    batch_size=50,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='florence.DigitSceneSegmentation', num_scenes=300, split='test', recipe=recipe, pipeline=pipeline),
)
val_evaluator = dict(type='florence.SegmentationIoU')
val_cfg = dict(type='ValLoop')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type='TestLoop')
