# SNLI-VE (arXiv 1901.06706): entailment, neutral, contradiction about Flickr30k images. 384 px as METER (arXiv 2111.02387).
default_scope = 'florence'
image_size = 384
data_root = 'data/snli_ve/'
image_root = '../flickr30k/flickr30k-images'


def _pipeline(*augmentation):
    return [
        dict(type='LoadImage'), *augmentation, dict(type='ResizeCenterCrop', size=image_size), dict(type='PackImageText'),
    ]  # fmt: skip


train_dataloader = dict(
    batch_size=16,  # 4 ranks x 16 = 64
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='SNLIVE',
        ann_file='snli_ve_train.jsonl',
        data_root=data_root,
        data_prefix=dict(img_path=image_root),
        pipeline=_pipeline(dict(type='RandAugment', num_ops=2, magnitude=9)),
    ),
)


def _test_loader(split):
    return dict(
        batch_size=64,
        num_workers=8,
        persistent_workers=True,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='SNLIVE',
            ann_file=f'snli_ve_{split}.jsonl',
            data_root=data_root,
            data_prefix=dict(img_path=image_root),
            test_mode=True,
            pipeline=_pipeline(),
        ),
    )


val_dataloader = _test_loader('dev')
test_dataloader = _test_loader('test')
val_evaluator = dict(type='LabelAccuracy')
test_evaluator = val_evaluator
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
