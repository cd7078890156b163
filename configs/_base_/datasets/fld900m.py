# Web image-text pairs in webdataset shards at 224 px, as Florence's FLD-900M (arXiv 2111.11432, section 2.1): set data_root.
# The paper curates one set and names no weights of its sources, so this is one stream; cc15m.py mixes several.
default_scope = 'florence'
image_size = 224
data_root = 'data/fld900m/'
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandomResizedCrop', scale=image_size, crop_scale=(0.9, 1.0)),
    dict(type='PickCaption'),
    dict(type='HashTextLabel'),
    dict(type='ExpandShortText', max_words=2),
    dict(type='PackImageText'),
]
test_pipeline = [
    dict(type='LoadImage'),
    dict(type='ResizeCenterCrop', size=image_size),
    dict(type='PackImageText'),
]
train_dataloader = dict(
    batch_size=48,  # 512 ranks x 48 = 24,576
    num_workers=8,
    persistent_workers=True,
    sampler=None,
    dataset=dict(
        type='WebDatasetPairs',
        shards=data_root + 'shard-{000000..089999}.tar',
        shuffle_size=10000,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    imagenet=dict(
        batch_size=64,
        num_workers=8,
        persistent_workers=True,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='ImageFolder',
            data_root='data/imagenet/val',
            classes='imagenet',
            templates='openai_imagenet',
            test_mode=True,
            pipeline=test_pipeline,
        ),
    ),
    coco=dict(
        batch_size=64,
        num_workers=8,
        persistent_workers=True,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='CocoCaptions',
            ann_file='annotations/captions_val2014.json',
            data_root='data/coco',
            data_prefix=dict(img_path='val2014'),
            karpathy_file='data/coco/annotations/dataset_coco.json',
            split='test',
            test_mode=True,
            pipeline=test_pipeline,
        ),
    ),
)
val_evaluator = dict(imagenet=dict(type='ZeroShotAccuracy'), coco=dict(type='ImageTextRetrieval', fold_size=1000))
val_cfg = dict(type='MultiDatasetValLoop')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type='MultiDatasetTestLoop')
