# Florence fine-tuned on ImageNet-1k with the contrastive loss, class names through the text tower (arXiv 2111.11432, section
# 3.3): 512 px, batch 8,192, 10 epochs, cosine from 2e-5 with 500 warm-up steps. Paper: 90.05 % top-1, 99.02 % top-5. Not run
# here.
#   bash tools/dist_train.sh configs/unicl/unicl_coswin-h_finetune-10e-512_in1k.py 8 --load-from STAGE3.pth   (on 32 machines)
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/two_tower_coswin-h.py',
    '../_base_/datasets/imagenet_512.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/strategies/florence_paper.py',
]
max_iters = 1564  # 10 epochs of 1,281,167 images in batches of 8,192
warmup_iters = 500
train_cfg = dict(max_iters=max_iters, val_interval=156)
model = dict(image_tower=dict(window_size=16))
optim_wrapper = dict(type='AmpOptimWrapper', dtype='bfloat16', optimizer=dict(lr=2e-5))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
