# CoSwin-nano, FPN, two Dynamic Head blocks and ATSS, for 64 to 128 px images on a CPU. Strides 4 to 32; an anchor is four
# strides wide.
_base_ = 'atss_head.py'
num_classes = 10
head = _base_.atss_head
head.update(num_classes=num_classes, in_channels=64, feat_channels=64)
head.anchor_generator.update(octave_base_scale=4, strides=[4, 8, 16, 32], center_offset=0.0)
model = dict(
    type='ATSS',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[122.771, 116.746, 104.094],
        std=[68.501, 66.632, 70.323],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    backbone=dict(type='florence.CoSwin', arch='nano', out_indices=(0, 1, 2, 3)),
    neck=[
        dict(type='FPN', in_channels=[32, 96, 192, 256], out_channels=64, num_outs=4),
        dict(type='florence.DyHead', in_channels=64, out_channels=64, num_blocks=2),
    ],
    bbox_head=head,
    train_cfg=dict(assigner=dict(type='ATSSAssigner', topk=9), allowed_border=-1, pos_weight=-1),
    test_cfg=dict(nms_pre=1000, min_bbox_size=0, score_thr=0.05, nms=dict(type='nms', iou_threshold=0.6), max_per_img=100),
)
