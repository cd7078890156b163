# A detector small enough to learn in seconds where the digit of a scene is.
#   python tools/train.py tests/configs/tiny_atss_dyhead.py
_base_ = ['../../configs/dyhead/atss-dyhead2_coswin-nano_10min_digits.py']
max_iters = 150
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
recipe = dict(image_size=32, num_objects_probs=(1.0,), pairs='all')
pipeline = [dict(type='LoadAnnotations', with_bbox=True), dict(type='Resize', scale=(32, 32))]
train_dataloader = dict(dataset=dict(recipe=recipe, pipeline=[*pipeline, dict(type='PackDetInputs')]))
val_dataloader = dict(
    dataset=dict(
        num_scenes=100,
        recipe=recipe,
        pipeline=[
            *pipeline,
            dict(type='PackDetInputs', meta_keys=('img_id', 'ori_shape', 'img_shape', 'scale_factor', 'instances')),
        ],
    ),
)
val_evaluator = dict(class_agnostic=True)
model = dict(
    backbone=dict(
        _delete_=True,
        type='florence.CoSwin',
        arch=dict(embed_dims=(16, 32), depths=(1, 1), num_heads=(1, 2), window_size=8),
        out_indices=(0, 1),
    ),
    neck=[
        dict(type='FPN', in_channels=[16, 32], out_channels=32, num_outs=2),
        dict(type='florence.DyHead', in_channels=32, out_channels=32, num_blocks=1),
    ],
    bbox_head=dict(in_channels=32, feat_channels=32, anchor_generator=dict(strides=[4, 8])),
)
optim_wrapper = dict(optimizer=dict(lr=3e-3))
param_scheduler = [dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=20)]
