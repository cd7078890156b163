# METER's fine-tuning (arXiv 2111.02387, table 11 and release): AdamW, a tenth of the steps to warm up, linear decay to zero;
# encoders at the base rate, fusion five times, head more. A recipe sets lr, steps and the head's factor.
max_iters = 10000
warmup_iters = max_iters // 10
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters // 10)
cross_modal = {
    f'encoder.{part}': dict(lr_mult=5.0) for part in ('fusion', 'text_proj', 'image_proj', 'text_pooler', 'image_pooler')
}
optim_wrapper = dict(
    type='AmpOptimWrapper',
    dtype='bfloat16',
    constructor='florence.GroupedOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=5e-6, betas=(0.9, 0.98), eps=1e-8, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys={**cross_modal, 'head': dict(lr_mult=5.0)}),
    clip_grad=dict(max_norm=1.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='PolyLR', power=1.0, by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
