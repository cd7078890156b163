# Captioning with METER-CoSwin-H on COCO's Karpathy splits. Florence and METER give no recipe: BLIP's (arXiv 2201.12086, section 3
# and release), 5 epochs at 1e-5, prompt "a picture of", three beams, 5 to 20 tokens. Not run here.
#   bash tools/dist_train.sh configs/meter/meter-coswin-h_caption-5e-384_coco.py 8
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/meter_coswin-h.py',
    '../_base_/datasets/coco_captions_384.py',
    '../_base_/schedules/meter_finetune.py',
    '../_base_/strategies/florence_paper.py',
]
load_from = 'checkpoints/meter-coswin-h_pretrain-43e-384_14m.pth'
max_iters = 11070  # 5 epochs of 566,747 captions in batches of 8 x 32
warmup_iters = max_iters // 10
model = dict(
    head=dict(
        type='CaptionHead',
        prompt='a picture of',
        decoding=dict(num_beams=3, min_new_tokens=5, max_new_tokens=20),
    ),
)
train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 5)
# The decoder starts from the fusion's layers: all at one rate, as in BLIP.
optim_wrapper = dict(optimizer=dict(lr=1e-5, weight_decay=0.05), paramwise_cfg=dict(_delete_=True))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='PolyLR', power=1.0, by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
