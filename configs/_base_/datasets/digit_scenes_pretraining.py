# Digit scenes of one to three digits at 64 px with detailed captions, for vision-language pretraining; train and test show
# different scans. Digits in company are as large, in pixels, as the single ones that the UniCL recipe's image tower has learnt on
# 32 px. The text's hash makes equal captions match each other.
default_scope = 'florence'
image_size = 64
recipe = dict(image_size=image_size, num_objects_probs=(0.3, 0.5, 0.2), object_scale=0.8)
pipeline = [dict(type='HashTextLabel'), dict(type='PackImageText')]
train_dataloader = dict(
    batch_size=64,
    num_workers=0,  # rendering takes 0.1 ms a scene: a worker process would cost more than it saves
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=False),
    dataset=dict(
        type='DigitScenePairs',
        num_scenes=10_000_000,
        split='train',
        recipe=recipe,
        granularity_probs=dict(detailed=1.0),
        pipeline=pipeline,
    ),
)
val_dataloader = dict(
    batch_size=250,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='DigitScenePairs',
        num_scenes=1000,
        split='test',
        recipe=recipe,
        granularity_probs=dict(detailed=1.0),
        pipeline=pipeline,
    ),
)
val_evaluator = dict(type='PretrainMetric')
val_cfg = dict(type='ValLoop')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type='TestLoop')
