# Florence-2 base fine-tuned for detection on COCO (arXiv 2311.06242, table 7: 41.4 AP as a generalist; hyper-parameters are not
# published, these are the field's). The released weights: tools/model_converters/florence2_to_florence.py.
#   bash tools/dist_train.sh configs/florence2/florence2-base_detection-768_coco.py 8 --load-from florence2-base.pth
# Hardware: 8 GPUs. Not run here.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/florence2-base.py',
    '../_base_/datasets/coco_florence2.py',
    '../_base_/schedules/adamw_cosine.py',
]
max_iters = 18_480
warmup_iters = 500
train_cfg = dict(max_iters=max_iters, val_interval=1_848)
optim_wrapper = dict(
    type='AmpOptimWrapper', dtype='bfloat16', optimizer=dict(lr=1e-5, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
