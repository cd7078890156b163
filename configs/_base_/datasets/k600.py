# Kinetics-600 in the layout of mmaction2: lists "path label" beside the folders of the videos.
_base_ = './action_views_224.py'
data_root = 'data/kinetics600/'
train_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='florence.ActionClips',
        ann_file='kinetics600_train_list_videos.txt',
        data_prefix=dict(video='videos_train'),
        data_root=data_root,
        num_classes=600,
        pipeline=_base_.views_224_train,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='florence.ActionClips',
        ann_file='kinetics600_val_list_videos.txt',
        data_prefix=dict(video='videos_val'),
        data_root=data_root,
        num_classes=600,
        test_mode=True,
        pipeline=_base_.views_224_val,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='florence.ActionClips',
        ann_file='kinetics600_val_list_videos.txt',
        data_prefix=dict(video='videos_val'),
        data_root=data_root,
        num_classes=600,
        test_mode=True,
        pipeline=_base_.views_224_test,
    ),
)
val_evaluator = dict(type='AccMetric')
val_cfg = dict(type='ValLoop')
test_evaluator = val_evaluator
test_cfg = dict(type='TestLoop')
