# Loaders of a set of actions for eight GPUs; a set adds its annotations and pipelines.
train_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='florence.ActionClips'),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='florence.ActionClips', test_mode=True),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='florence.ActionClips', test_mode=True),
)
val_evaluator = dict(type='AccMetric')
val_cfg = dict(type='ValLoop')
test_evaluator = val_evaluator
test_cfg = dict(type='TestLoop')
