# Florence-2 on digit scenes, second of three phases: all tasks on small images, as 384 px come before 768 px in the paper
# (arXiv 2311.06242, section 6.1). Scenes of one or two digits at 32 px.
# Hardware: two CPU cores, 5 minutes.
_base_ = './florence2-nano_13min-64_digits.py'
load_from = 'work_dirs/florence2-nano_7min-texts_digits'
recipe = dict(_base_.recipe, image_size=32, num_objects_probs=(0.6, 0.4))
max_iters = 700
warmup_iters = 100
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
train_dataloader = dict(batch_size=32, dataset=dict(recipe=recipe))
val_dataloader = {name: dict(dataset=dict(recipe=recipe)) for name in _base_.val_dataloader}
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-4),
]
