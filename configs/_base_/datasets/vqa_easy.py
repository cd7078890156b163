# Easy-VQA at 64 px: drawings of one shape, 13 answers; a fixed tenth of the training images chooses models, test is apart. Always
# answering "yes" is right in 37 % of the test questions.
default_scope = 'florence'
image_size = 64
data_root = 'data/vqa_easy/'
answers = [
    'circle', 'green', 'red', 'gray', 'yes', 'teal', 'black', 'rectangle', 'yellow', 'triangle', 'brown', 'blue', 'no',
]  # fmt: skip
pipeline = [
    dict(type='LoadImage'),
    dict(type='ResizeCenterCrop', size=image_size),
    dict(type='PackImageText'),
]
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='EasyVQA',
        ann_file='train/questions.json',
        data_root=data_root,
        data_prefix=dict(img_path='train/images'),
        split='train',
        pipeline=pipeline,
    ),
)
val_dataloader = dict(
    batch_size=128,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='EasyVQA',
        ann_file='train/questions.json',
        data_root=data_root,
        data_prefix=dict(img_path='train/images'),
        split='val',
        test_mode=True,
        pipeline=pipeline,
    ),
)
test_dataloader = dict(
    batch_size=128,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='EasyVQA',
        ann_file='test/questions.json',
        data_root=data_root,
        data_prefix=dict(img_path='test/images'),
        test_mode=True,
        pipeline=pipeline,
    ),
)
val_evaluator = dict(type='VQAAccuracy')
test_evaluator = val_evaluator
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
