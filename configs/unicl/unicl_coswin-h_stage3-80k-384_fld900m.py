# Florence's last phase (arXiv 2111.11432, section 2.2): 80,000 iterations at 384 px, windows of 12. Starts from the latest
# checkpoint of stage 2, whose position bias tables are resized; --load-from names another.
#   bash tools/dist_train.sh configs/unicl/unicl_coswin-h_stage3-80k-384_fld900m.py 8   (on each of 64 machines of 8 GPUs)
# All three phases one after another: tools/train_phases.sh.
_base_ = './unicl_coswin-h_stage2-180k_fld900m.py'
load_from = 'work_dirs/unicl_coswin-h_stage2-180k_fld900m'
image_size = 384
max_iters = 80_000
train_cfg = dict(max_iters=max_iters)
model = dict(image_tower=dict(window_size=12))
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandomResizedCrop', scale=image_size, crop_scale=(0.9, 1.0)),
    dict(type='PickCaption'),
    dict(type='HashTextLabel'),
    dict(type='PackImageText'),
]
test_pipeline = [
    dict(type='LoadImage'),
    dict(type='ResizeCenterCrop', size=image_size),
    dict(type='PackImageText'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(imagenet=dict(dataset=dict(pipeline=test_pipeline)), coco=dict(dataset=dict(pipeline=test_pipeline)))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=5e-5))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=1000),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=1000, end=max_iters, eta_min=1e-6),
]
