# UCF101, first fold, with the official lists; the folder of the lists holds classInd.txt.
_base_ = './action_views_224.py'
data_root = 'data/ucf101/'
train_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='florence.ActionClips',
        ann_file='annotations/trainlist01.txt',
        data_root=data_root,
        layout='ucf101',
        data_prefix=dict(video='videos'),
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
        ann_file='annotations/testlist01.txt',
        data_root=data_root,
        layout='ucf101',
        data_prefix=dict(video='videos'),
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
        ann_file='annotations/testlist01.txt',
        data_root=data_root,
        layout='ucf101',
        data_prefix=dict(video='videos'),
        test_mode=True,
        pipeline=_base_.views_224_test,
    ),
)
val_evaluator = dict(type='AccMetric')
val_cfg = dict(type='ValLoop')
test_evaluator = val_evaluator
test_cfg = dict(type='TestLoop')
