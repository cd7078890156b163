# The first of two phases on blood cells: the white one of an image is found before all of a dozen are written.
#   bash tools/dist_train.sh configs/florence2/florence2-nano_5min-white-cells_bccd.py 2
# Hardware: two CPU cores, 5 minutes.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/florence2-nano.py',
    '../_base_/datasets/coco_florence2.py',
    '../_base_/schedules/adamw_cosine.py',
]
load_from = 'work_dirs/florence2-nano_14min_digits'
# Digit scenes have a map of 6 x 6: what was learned of its places is stretched to the 9 x 12 of these images.
model = dict(projector=dict(stretched_map_size=6), search=dict(max_new_tokens=300))
data_root = 'data/bccd/'
image_size = (72, 96)  # 0.15 of the files' sides: red cells are as large as small digits
read = [dict(type='LoadImage'), dict(type='mmdet.LoadAnnotations', with_bbox=True)]
flip = [dict(type='mmdet.RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal'])]
pack = [dict(type='ResizeWhole', height=image_size[0], width=image_size[1]), dict(type='PackImageText')]
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        data_root=data_root,
        ann_file='train.json',
        img_prefix='images/',
        classes=['WBC'],
        pipeline=[*read, *flip, dict(type='AnnotationsToRecord'), dict(type='DrawTasks', tasks={'<OD>': 1}), *pack],
    ),
)
asked = [dict(type='LoadImage'), dict(type='AnnotationsToRecord'), dict(type='AskTask', tag='<OD>'), *pack]
held_out = dict(batch_size=24, num_workers=0, persistent_workers=False)
found = dict(data_root=data_root, img_prefix='images/', pipeline=asked)
val_dataloader = dict(**held_out, dataset=dict(**found, ann_file='val.json', classes=['WBC']))
test_dataloader = dict(**held_out, dataset=dict(**found, ann_file='test.json', classes=None))
max_iters = 400
warmup_iters = 50
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
default_hooks = dict(checkpoint=dict(interval=200))
optim_wrapper = dict(optimizer=dict(lr=5e-4, betas=(0.9, 0.98), weight_decay=0.05, fused=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-5),
]
