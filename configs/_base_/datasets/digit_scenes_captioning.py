# Detailed captions of digit scenes of one to three digits at 64 px, as in pretraining; train and test show different scans.
default_scope = 'florence'
image_size = 64
recipe = dict(image_size=image_size, num_objects_probs=(0.3, 0.5, 0.2), object_scale=0.8)
pipeline = [dict(type='PackImageText')]
train_dataloader = dict(
    batch_size=64,
    num_workers=0,  # rendering takes 0.1 ms a scene: a worker process would cost more than it saves
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=False),
    dataset=dict(type='DigitSceneCaptions', num_scenes=10_000_000, split='train', recipe=recipe, pipeline=pipeline),
)
val_dataloader = dict(
    batch_size=100,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='DigitSceneCaptions', num_scenes=1000, split='test', recipe=recipe, pipeline=pipeline),
)
# A list: mmengine takes a single dict with the key `metrics` for an evaluator.
val_evaluator = [dict(type='CaptionScores', metrics=['bleu', 'rouge_l', 'cider'])]
val_cfg = dict(type='ValLoop')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type='TestLoop')
