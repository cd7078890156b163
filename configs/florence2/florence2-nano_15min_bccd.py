# Florence-2 on real photographs on a CPU: the model of digit scenes learns to write the boxes of blood cells, from 205 images.
# docs/detection.md says where the data come from.
#   bash tools/dist_train.sh configs/florence2/florence2-nano_15min_bccd.py 2
# Hardware: two CPU cores, 15 minutes. It is not enough to place the cells, see README.md of this folder.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/florence2-nano.py',
    '../_base_/datasets/coco_florence2.py',
    '../_base_/schedules/adamw_cosine.py',
]
load_from = 'work_dirs/florence2-nano_18min_digits'
model = dict(search=dict(max_new_tokens=300))
data_root = 'data/bccd/'
image_size = (120, 160)  # a quarter of the files' sides
resize = dict(type='ResizeWhole', height=image_size[0], width=image_size[1])
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        data_root=data_root,
        ann_file='train.json',
        img_prefix='images/',
        pipeline=[
            dict(type='LoadImage'),
            dict(type='mmdet.LoadAnnotations', with_bbox=True),
            dict(type='mmdet.RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal']),
            dict(type='AnnotationsToRecord'),
            dict(type='DrawTasks', tasks={'<OD>': 1}, options=dict(order='left_right')),
            resize,
            dict(type='PackImageText'),
        ],
    ),
)
asked = [
    dict(type='LoadImage'),
    dict(type='AnnotationsToRecord'),
    dict(type='AskTask', tag='<OD>'),
    resize,
    dict(type='PackImageText'),
]
held_out = dict(batch_size=24, num_workers=0, persistent_workers=False)
val_dataloader = dict(**held_out, dataset=dict(data_root=data_root, ann_file='val.json', img_prefix='images/', pipeline=asked))
test_dataloader = dict(**held_out, dataset=dict(data_root=data_root, ann_file='test.json', img_prefix='images/', pipeline=asked))
max_iters = 600
warmup_iters = 50
train_cfg = dict(max_iters=max_iters, val_interval=200)
default_hooks = dict(checkpoint=dict(interval=200))
optim_wrapper = dict(optimizer=dict(lr=1e-3, betas=(0.9, 0.98), weight_decay=0.05, fused=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-5),
]
