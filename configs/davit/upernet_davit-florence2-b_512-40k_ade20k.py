# Florence-2's base tower in UperNet, ADE20K, 512 x 512, 40,000 iterations of 64 images (arXiv 2311.06242, section 6.4; the
# learning rate is one of 8e-4, 4e-4, 2e-4 and 1e-4 there, the rest of the schedule is not published). Published: 54.9 mIoU, 55.5
# at several scales, 45.9 with a frozen tower.
#   python tools/model_converters/davit_to_florence.py Florence-2-base/pytorch_model.bin work_dirs/davit_florence2-b.pth \
#       --prefix vision_tower.
#   bash tools/dist_train.sh configs/davit/upernet_davit-florence2-b_512-40k_ade20k.py 8
# Hardware: 8 GPUs. Not run here.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/upernet_davit-florence2-b.py',
    '../_base_/datasets/ade20k_512.py',
    '../_base_/schedules/adamw_cosine.py',
]
max_iters = 40_000
warmup_iters = 1_500
train_cfg = dict(max_iters=max_iters, val_interval=4_000)
optim_wrapper = dict(optimizer=dict(lr=1e-4, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01), clip_grad=None)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='PolyLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0.0, power=1.0),
]
default_hooks = dict(checkpoint=dict(interval=4_000, save_best='mIoU', rule='greater'))
