# NLVR2 (arXiv 1811.00491): a sentence about two photographs; train, dev, test1. 288 px as METER (arXiv 2111.02387).
default_scope = 'florence'
image_size = 288
data_root = 'data/nlvr2/'


def _pipeline(*augmentation):
    steps = [dict(type='LoadImage'), *augmentation, dict(type='ResizeCenterCrop', size=image_size)]
    return [dict(type='ForEachImage', transforms=steps), dict(type='PackImages')]


train_dataloader = dict(
    batch_size=8,  # 32 ranks x 8 = 256
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='NLVR2',
        ann_files='data/train.json',
        data_root=data_root,
        data_prefix=dict(img_path='images'),
        pipeline=_pipeline(dict(type='RandAugment', num_ops=2, magnitude=9)),
    ),
)


def _test_loader(name):
    return dict(
        batch_size=32,
        num_workers=8,
        persistent_workers=True,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='NLVR2',
            ann_files=f'data/{name}.json',
            data_root=data_root,
            data_prefix=dict(img_path='images'),
            test_mode=True,
            pipeline=_pipeline(),
        ),
    )


val_dataloader = _test_loader('dev')
test_dataloader = _test_loader('test1')
val_evaluator = dict(type='LabelAccuracy', consistency=True)
test_evaluator = dict(type='LabelAccuracy', consistency=True, outfile='work_dirs/nlvr2_test1.json')
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
