# Digit clips with captions, rendered on the fly; train and test show different scans. A caption of the test names digit, colour
# and action: 500 of the 800 that there are.
default_scope = 'florence'
image_size = 32
recipe = dict(image_size=image_size, num_frames=8, frame_rate=8, pairs='all')
train_dataloader = dict(
    batch_size=64,
    num_workers=0,  # rendering takes a millisecond a clip
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=False),
    dataset=dict(
        type='DigitClipPairs',
        num_clips=10_000_000,
        split='train',
        recipe=recipe,
        pipeline=[dict(type='HashTextLabel'), dict(type='PackVideoText')],
    ),
)
val_dataloader = dict(
    batch_size=50,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='DigitClipPairs', num_clips=500, split='test', recipe=recipe, pipeline=[dict(type='PackVideoText')]),
)
val_evaluator = dict(type='VideoTextRetrieval')
val_cfg = dict(type='ValLoop')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type='TestLoop')
# For tools/infer.py: video files as the model knows clips.
inference_pipeline = [
    dict(type='OpenVideo'),
    dict(type='SampleClips', clip_len=8, mode='uniform', test_mode=True),
    dict(type='DecodeVideo'),
    dict(type='mmaction.Resize', scale=(-1, image_size)),
    dict(type='mmaction.CenterCrop', crop_size=image_size),
    dict(type='PackVideoText'),
]
