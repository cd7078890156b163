# Flickr30k at 384 px, Karpathy split (METER's retrieval fine-tuning, arXiv 2111.02387, section 4.1).
default_scope = 'florence'
image_size = 384
data_root = 'data/flickr30k/'
annotations = dict(
    ann_file='results_20130124.token',
    data_root=data_root,
    data_prefix=dict(img_path='flickr30k-images'),
    karpathy_file=data_root + 'dataset_flickr30k.json',
)
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
    batch_size=64,  # 8 ranks x 64 = 512
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(type='Flickr30k', split='train', pipeline=train_pipeline, **annotations),
)


def _test_loader(split):
    return dict(
        batch_size=64,
        num_workers=8,
        persistent_workers=True,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(type='Flickr30k', split=split, test_mode=True, pipeline=test_pipeline, **annotations),
    )


# Chosen on the validation split: METER's release validates on the test split, and trains on the validation split.
val_dataloader = _test_loader('val')
val_evaluator = dict(type='ImageTextRetrieval')
val_cfg = dict(type='ValLoop')
test_dataloader = _test_loader('test')
test_evaluator = val_evaluator
test_cfg = dict(type='TestLoop')
