# COCO captioning at 384 px on the Karpathy splits: 113,287 images of train and restval to learn from, 5,000 to test on. An image
# goes with one of its captions, drawn anew each time.
default_scope = 'florence'
image_size = 384
data_root = 'data/coco/'
karpathy_file = data_root + 'annotations/dataset_coco.json'
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandomResizedCrop', scale=image_size, crop_scale=(0.5, 1.0)),
    dict(type='PickCaption'),
    dict(type='PackImageText'),
]
test_pipeline = [
    dict(type='LoadImage'),
    dict(type='ResizeCenterCrop', size=image_size),
    dict(type='PackImageText'),
]


def _set(year_split, split, **arguments):
    return dict(
        type='CocoCaptions',
        ann_file=f'annotations/captions_{year_split}2014.json',
        data_root=data_root,
        data_prefix=dict(img_path=f'{year_split}2014'),
        karpathy_file=karpathy_file,
        split=split,
        **arguments,
    )


train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    # restval, as test, is a part of val2014.
    dataset=dict(
        type='ConcatDataset',
        datasets=[_set('train', 'train', pipeline=train_pipeline), _set('val', 'restval', pipeline=train_pipeline)],
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=_set('val', 'val', pipeline=test_pipeline, test_mode=True),
)
# A list: mmengine takes a single dict with the key `metrics` for an evaluator.
val_evaluator = [dict(type='CaptionScores', metrics=['bleu', 'rouge_l', 'cider'])]
val_cfg = dict(type='ValLoop')
test_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=_set('val', 'test', pipeline=test_pipeline, test_mode=True),
)
test_evaluator = dict(type='CaptionScores')
test_cfg = dict(type='TestLoop')
