# Florence's object-level adapter, fine-tuned on COCO (arXiv 2111.11432, section 3.6): CoSwin-H, eight Dynamic Head blocks, ATSS,
# longer side at most 2500, multi-scale training, 12 epochs, from the checkpoint pretrained on FLOD-9M. Paper: 62.0 AP on val with
# multi-scale testing (tools/test.py --tta), 62.4 on test-dev.
#   bash tools/dist_train.sh configs/dyhead/atss-dyhead8_coswin-h_12e-2500_coco.py 8 --amp
# Hardware: the paper names none for this step; activations of one 2500 px image need an 80 GB GPU with recomputation on.
_base_ = './atss-dyhead6_coswin-t_1x_coco.py'
flod_checkpoint = 'work_dirs/vocabulary-dyhead8_coswin-h_12e_flod9m/epoch_12.pth'
load_from = flod_checkpoint
model = dict(
    backbone=dict(arch='huge', window_size=12, with_cp=True, drop_path_rate=0.5, init_cfg=None),
    neck=[
        dict(type='FPN', in_channels=[512, 1024, 2048], out_channels=256, add_extra_convs='on_output', num_outs=5),
        dict(type='florence.DyHead', in_channels=256, out_channels=256, num_blocks=8, with_cp=True),
    ],
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomResize', scale=[(2500, 640), (2500, 1600)], keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(batch_size=1, dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(optimizer=dict(lr=2e-5), paramwise_cfg=dict(layer_decay=0.9))
# Twelve views: six shorter sides, each flipped too; views of small images only see large objects and the other way round.
tta_model = dict(
    type='florence.DetectionTTA',
    tta_cfg=dict(merge='soft_vote', iou_threshold=0.6, max_per_img=100),
)
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='Resize', scale=(2500, side), keep_ratio=True) for side in (600, 800, 1000, 1200, 1400, 1600)],
            [dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0)],
            [
                dict(
                    type='PackDetInputs',
                    meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip', 'flip_direction'),
                )
            ],
        ],
    ),
]
