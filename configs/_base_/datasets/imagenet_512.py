# ImageNet-1k as image-text pairs at 512 px: the text is the class name in a random prompt template.
default_scope = 'florence'
image_size = 512
data_root = 'data/imagenet/'
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandomResizedCrop', scale=image_size, crop_scale=(0.08, 1.0)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='HashTextLabel'),
    dict(type='ExpandShortText', max_words=100, templates='openai_imagenet'),
    dict(type='PackImageText'),
]
test_pipeline = [
    dict(type='LoadImage'),
    dict(type='ResizeCenterCrop', size=image_size),
    dict(type='PackImageText'),
]
train_dataloader = dict(
    batch_size=32,  # 256 ranks x 32 = 8,192
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='ImageFolder', data_root=data_root + 'train', classes='imagenet', text_from_class=True, pipeline=train_pipeline
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ImageFolder',
        data_root=data_root + 'val',
        classes='imagenet',
        templates='openai_imagenet',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='ZeroShotAccuracy')
val_cfg = dict(type='ValLoop')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type='TestLoop')
