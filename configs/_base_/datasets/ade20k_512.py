# ADE20K's 150 classes, pieces of 512 x 512 for training. Folders of images and masks of one's own: type='BaseSegDataset' with
# metainfo=dict(classes=(...)) and the data_prefix of both folders; reduce_zero_label=False where 0 is a class.
default_scope = 'mmdet'
data_root = 'data/ADEChallengeData2016/'
load_masks = dict(type='LoadAnnotations', with_bbox=False, with_seg=True, reduce_zero_label=True)
meta_keys = ('img_path', 'ori_shape', 'img_shape')
train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='ADE20KSegDataset',
        data_root=data_root,
        data_prefix=dict(img_path='images/training', seg_map_path='annotations/training'),
        pipeline=[
            dict(type='LoadImageFromFile'),
            load_masks,
            dict(type='RandomResize', scale=(2048, 512), ratio_range=(0.5, 2.0), keep_ratio=True),
            dict(type='RandomCrop', crop_size=(512, 512)),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PhotoMetricDistortion'),
            dict(type='Pad', size=(512, 512), pad_val=dict(img=(0, 0, 0), seg=255)),
            dict(type='PackDetInputs', meta_keys=meta_keys),
        ],
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ADE20KSegDataset',
        data_root=data_root,
        data_prefix=dict(img_path='images/validation', seg_map_path='annotations/validation'),
        test_mode=True,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=(2048, 512), keep_ratio=True),
            # After the resize: masks stay as large as the file, where answers are compared.
            load_masks,
            dict(type='PackDetInputs', meta_keys=meta_keys),
        ],
    ),
)
val_evaluator = dict(type='florence.SegmentationIoU')
val_cfg = dict(type='ValLoop')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type='TestLoop')
