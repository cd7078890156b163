# The head of ATSS behind Dynamic Head: no towers of its own, predictors of 1 x 1, one anchor of eight strides per cell. Who uses
# it says how many classes there are; other pyramids change the channels, the strides and the loss of the classes.
atss_head = dict(
    type='ATSSHead',
    in_channels=256,
    feat_channels=256,
    stacked_convs=0,
    pred_kernel_size=1,
    anchor_generator=dict(
        type='AnchorGenerator',
        ratios=[1.0],
        octave_base_scale=8,
        scales_per_octave=1,
        strides=[8, 16, 32, 64, 128],
        center_offset=0.5,
    ),
    bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]),
    loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
    loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
    loss_centerness=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
)
