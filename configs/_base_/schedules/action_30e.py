# Thirty epochs of AdamW with a warm-up of two and a half and a cosine to zero, as Video Swin's (arXiv 2106.13230): the backbone
# is pretrained and learns at a tenth of the rate, which is Florence's 2e-4 (arXiv 2111.11432). Mixed precision. A longer recipe
# sets max_epochs and param_scheduler.
max_epochs = 30
warmup_epochs = 2.5
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=3)
optim_wrapper = dict(
    type='florence.AmpOptimWrapper',
    dtype='bfloat16',
    constructor='florence.GroupedOptimWrapperConstructor',
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
    optimizer=dict(type='AdamW', lr=2e-4, betas=(0.9, 0.999), weight_decay=0.05),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=warmup_epochs, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,
        begin=warmup_epochs,
        end=max_epochs,
        T_max=max_epochs - warmup_epochs,
        eta_min=0,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr = dict(enable=False, base_batch_size=64)
