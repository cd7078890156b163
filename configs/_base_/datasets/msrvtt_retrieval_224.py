# MSR-VTT for text-video retrieval: 12 frames spread over the video; trained on the 9,000 videos of the "1k-A" split with 20
# sentences each, of which one is drawn; tested on its 1,000 pairs.
default_scope = 'florence'
image_size = 224
num_frames = 12
data_root = 'data/msrvtt/'
train_pipeline = [
    dict(type='OpenVideo'),
    dict(type='SampleClips', clip_len=num_frames, mode='uniform'),
    dict(type='DecodeVideo'),
    dict(type='mmaction.RandomResizedCrop', area_range=(0.5, 1.0)),
    dict(type='mmaction.Resize', scale=(image_size, image_size), keep_ratio=False),
    dict(type='PickCaption'),
    dict(type='HashTextLabel'),
    dict(type='PackVideoText'),
]
test_pipeline = [
    dict(type='OpenVideo'),
    dict(type='SampleClips', clip_len=num_frames, mode='uniform', test_mode=True),
    dict(type='DecodeVideo'),
    dict(type='mmaction.Resize', scale=(-1, image_size)),
    dict(type='mmaction.CenterCrop', crop_size=image_size),
    dict(type='PackVideoText'),
]
train_dataloader = dict(
    batch_size=16,  # 8 ranks x 16 = 128
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='VideoCaptions',
        ann_file='MSRVTT_data.json',
        layout='msrvtt',
        video_list='MSRVTT_train.9k.csv',
        data_root=data_root,
        data_prefix=dict(video='videos'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoCaptions',
        ann_file='MSRVTT_JSFUSION_test.csv',
        layout='msrvtt',
        data_root=data_root,
        data_prefix=dict(video='videos'),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='VideoTextRetrieval', same_text_is_positive=False)  # the protocol knows one right sentence
val_cfg = dict(type='ValLoop')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type='TestLoop')
