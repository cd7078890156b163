# Zero-shot detection on digit scenes, the embedded twin of section 3.6 of Florence (arXiv 2111.11432): Dynamic Head learns,
# behind the frozen towers of UniCL, where digits are; it sees boxes of zero to six only. Seven, eight and nine are found by
# their names.
#   bash tools/dist_train.sh configs/zero_shot_detection/zsd-dyhead2_coswin-nano_5min_digits.py 2
# Hardware: two CPU cores. Expected figures on held-out scans: metafile.yml.
_base_ = [
    '../_base_/models/atss_head.py',
    '../_base_/default_runtime.py',
    '../_base_/models/two_tower_coswin-nano.py',
    '../_base_/datasets/digit_scenes_detection.py',
    '../_base_/schedules/adamw_cosine.py',
]
unicl_checkpoint = 'work_dirs/quickstart/iter_1800.pth'
boxed = ['zero', 'one', 'two', 'three', 'four', 'five', 'six']
never_boxed = ['seven', 'eight', 'nine']
two_tower = _base_.model
two_tower.update(_scope_='florence', init_cfg=dict(type='Pretrained', checkpoint=unicl_checkpoint))
two_tower.image_tower.update(out_indices=(0, 1, 2, 3))
head = _base_.atss_head
head.update(num_classes=1, in_channels=64, feat_channels=64)
head.anchor_generator.update(octave_base_scale=4, strides=[4, 8, 16, 32], center_offset=0.0)
model = dict(
    _delete_=True,
    type='florence.ZeroShotDetector',
    two_tower=two_tower,
    neck=[
        dict(type='FPN', in_channels=[32, 96, 192, 256], out_channels=64, num_outs=4),
        dict(type='florence.DyHead', in_channels=64, out_channels=64, num_blocks=2),
    ],
    rpn_head=head,
    train_cfg=dict(rpn=dict(assigner=dict(type='ATSSAssigner', topk=9), allowed_border=-1, pos_weight=-1)),
    test_cfg=dict(rpn=dict(nms=dict(type='nms', iou_threshold=0.7), max_per_img=30)),
    region_encoder=dict(type='florence.CropRegionEncoder', image_size=32),
    classes=boxed + never_boxed,
    templates='digit_scenes',
)
default_hooks = dict(class_list=dict(type='florence.ClassListHook'))
custom_hooks = []  # the tokenizer is trained
max_iters = 600
warmup_iters = 100
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
train_dataloader = dict(batch_size=16, dataset=dict(recipe=dict(digits=(0, 1, 2, 3, 4, 5, 6))))  # per rank, two ranks
val_evaluator = dict(
    _delete_=True,
    type='florence.CocoDetectionMetric',
    class_groups=dict(boxed=boxed, never_boxed=never_boxed),
)
test_evaluator = val_evaluator
optim_wrapper = dict(optimizer=dict(lr=1e-3, betas=(0.9, 0.999), weight_decay=0.05, fused=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-5),
]
