# What flies in infrared videos: airplane, bird, drone or helicopter, 48 real videos of 300 frames
# (DroneDetectionThesis/Drone-detection-dataset, CC0). Every second one trains, the others test. Small frames for a CPU; four
# clips of a test video. Areas are averaged where frames shrink: what flies is a few pixels, which bilinear sampling may miss.
default_scope = 'mmaction'
data_root = 'data/video_drone_ir/'
image_size = 96
classes = ('airplane', 'bird', 'drone', 'helicopter')
train_pipeline = [
    dict(type='florence.OpenVideo'),
    dict(type='florence.SampleClips', clip_len=8, frame_interval=8),
    dict(type='florence.DecodeVideo'),
    dict(type='RandomResizedCrop', area_range=(0.5, 1.0)),
    dict(type='Resize', scale=(image_size, image_size), keep_ratio=False, interpolation='area'),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='florence.OpenVideo'),
    dict(type='florence.SampleClips', clip_len=8, frame_interval=8, num_clips=4, test_mode=True),
    dict(type='florence.DecodeVideo'),
    dict(type='Resize', scale=(image_size, image_size), keep_ratio=False, interpolation='area'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='florence.ActionClips',
        ann_file='videos.json',
        data_root=data_root,
        columns=('file_name', 'label'),
        classes=classes,
        indices=list(range(0, 48, 2)),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='florence.ActionClips',
        ann_file='videos.json',
        data_root=data_root,
        columns=('file_name', 'label'),
        classes=classes,
        indices=list(range(1, 48, 2)),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
val_evaluator = dict(type='AccMetric', metric_options=dict(top_k_accuracy=dict(topk=(1,))))
val_cfg = dict(type='ValLoop')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type='TestLoop')
