# Florence fine-tuned for image-text retrieval on COCO (arXiv 2111.11432, section 3.5): batch 3,072, 12 epochs, cosine from
# 2e-5 with 200 warm-up steps. Not run here.
#   bash tools/dist_train.sh configs/unicl/unicl_coswin-h_finetune-12e-384_coco-retrieval.py 8 --load-from STAGE3.pth
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/two_tower_coswin-h.py',
    '../_base_/datasets/coco_retrieval_384.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/strategies/florence_paper.py',
]
max_iters = 324  # 12 epochs of 82,783 images in batches of 3,072
warmup_iters = 200
train_cfg = dict(max_iters=max_iters, val_interval=27)
model = dict(image_tower=dict(window_size=12))
optim_wrapper = dict(type='AmpOptimWrapper', dtype='bfloat16', optimizer=dict(lr=2e-5))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
