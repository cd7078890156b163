# NLVR: human sentences about drawings of three boxes side by side (400 x 100); a fixed fifth of the drawings is held out.
default_scope = 'florence'
image_height, image_width = 64, 256
data_root = 'data/vqa_nlvr/'
pipeline = [
    dict(type='LoadImage'),
    dict(type='ResizeWhole', height=image_height, width=image_width),
    dict(type='PackImageText'),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(type='NLVR', ann_file='sentences.json', data_root=data_root, split='train', val_share=0.2, pipeline=pipeline),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='NLVR',
        ann_file='sentences.json',
        data_root=data_root,
        split='val',
        val_share=0.2,
        test_mode=True,
        pipeline=pipeline,
    ),
)
val_evaluator = dict(type='LabelAccuracy')
val_cfg = dict(type='ValLoop')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type='TestLoop')
