# Digit clips: a real handwritten digit acts in a composed scene, ten actions that no single frame tells, rendered on the fly;
# train and test show different scans.
default_scope = 'mmaction'
num_classes = 10
recipe = dict(image_size=32, num_frames=8, frame_rate=8, pairs='all')
pipeline = [
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=0,  # rendering takes a millisecond a clip
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=False),
    dataset=dict(type='florence.DigitClipActions', num_clips=10_000_000, split='train', recipe=recipe, pipeline=pipeline),
)
val_dataloader = dict(
    batch_size=50,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='florence.DigitClipActions', num_clips=1000, split='test', recipe=recipe, pipeline=pipeline),
)
val_evaluator = dict(type='AccMetric')
val_cfg = dict(type='ValLoop')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type='TestLoop')
# For tools/infer.py: video files as the model knows clips.
inference_pipeline = [
    dict(type='florence.OpenVideo'),
    dict(type='florence.SampleClips', clip_len=8, mode='uniform', test_mode=True),
    dict(type='florence.DecodeVideo'),
    dict(type='Resize', scale=(-1, 32)),
    dict(type='CenterCrop', crop_size=32),
    *pipeline,
]
