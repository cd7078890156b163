# COCO captions at 384 px, Karpathy splits (Florence retrieval fine-tuning, arXiv 2111.11432, section 3.5).
default_scope = 'florence'
image_size = 384
data_root = 'data/coco/'
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandomResizedCrop', scale=image_size, crop_scale=(0.5, 1.0)),
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
    batch_size=48,  # 64 ranks x 48 = 3,072
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='CocoCaptions',
        ann_file='annotations/captions_train2014.json',
        data_root=data_root,
        data_prefix=dict(img_path='train2014'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CocoCaptions',
        ann_file='annotations/captions_val2014.json',
        data_root=data_root,
        data_prefix=dict(img_path='val2014'),
        karpathy_file=data_root + 'annotations/dataset_coco.json',
        split='test',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='ImageTextRetrieval', fold_size=1000)
val_cfg = dict(type='ValLoop')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type='TestLoop')
