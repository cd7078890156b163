# Image-text pairs of a JSON file of records at 64 px; a fixed tenth of the records is held out. A recipe names file and columns.
default_scope = 'florence'
image_size = 64
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandomResizedCrop', scale=image_size, crop_scale=(0.8, 1.0)),
    dict(type='PickCaption'),
    dict(type='HashTextLabel'),
    dict(type='PackImageText'),
]
test_pipeline = [
    dict(type='LoadImage'),
    dict(type='ResizeCenterCrop', size=image_size),
    dict(type='PackImageText'),
]
train_dataloader = dict(
    batch_size=128,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(type='RecordPairs', ann_file='pairs.json', split='train', val_share=0.1, pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='RecordPairs', ann_file='pairs.json', split='val', val_share=0.1, test_mode=True, pipeline=test_pipeline),
)
val_evaluator = dict(type='ImageTextRetrieval')
val_cfg = dict(type='ValLoop')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type='TestLoop')
