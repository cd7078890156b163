# The small detector for photographs of about 320 px: strides 8 to 64, anchors 32 to 256 px wide.
_base_ = 'atss-dyhead_coswin-nano.py'
model = dict(
    backbone=dict(out_indices=(1, 2, 3)),
    neck=[
        dict(type='FPN', in_channels=[96, 192, 256], out_channels=64, add_extra_convs='on_output', num_outs=4),
        dict(type='florence.DyHead', in_channels=64, out_channels=64, num_blocks=2),
    ],
    bbox_head=dict(anchor_generator=dict(strides=[8, 16, 32, 64])),
)
