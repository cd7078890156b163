# Captioning of digit scenes, every object with size, colour and place, the embedded twin of captioning with METER (arXiv
# 2111.11432, section 2.5). Starts from the latest checkpoint of the pretraining twin, the decoder from its fusion layers.
#   bash tools/dist_train.sh configs/meter/meter-caption_coswin-nano_digits.py 2
# Hardware: two CPU cores. Expected figures on held-out scans: metafile.yml.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/meter_coswin-nano.py',
    '../_base_/datasets/digit_scenes_captioning.py',
    '../_base_/schedules/adamw_cosine.py',
]
load_from = 'work_dirs/meter-pretrain_coswin-nano_digits'
max_iters = 500
warmup_iters = 50
model = dict(head=dict(type='CaptionHead', decoding=dict(num_beams=5, max_new_tokens=40)))
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(
    optimizer=dict(lr=5e-4, betas=(0.9, 0.98), weight_decay=0.05, fused=True),
    paramwise_cfg=dict(custom_keys=dict(image_tower=dict(lr_mult=0.2))),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-5),
]
