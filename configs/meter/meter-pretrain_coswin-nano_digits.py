# Vision-language pretraining (masked words, matching) on digit scenes, the embedded twin of Florence's METER pretraining (arXiv
# 2111.11432, sections 2.5 and 3.7). The image tower starts from the UniCL recipe's checkpoint, a small RoBERTa and the fusion
# from random weights.
#   bash tools/dist_train.sh configs/meter/meter-pretrain_coswin-nano_digits.py 2
# Hardware: two CPU cores. Expected figures on held-out scans: metafile.yml.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/meter_coswin-nano.py',
    '../_base_/datasets/digit_scenes_pretraining.py',
    '../_base_/schedules/adamw_cosine.py',
]
unicl_checkpoint = 'work_dirs/quickstart/iter_1800.pth'
vocab_size = 512
max_iters = 2000
warmup_iters = 100
model = dict(
    encoder=dict(
        image_tower=dict(init_cfg=dict(type='Pretrained', checkpoint=unicl_checkpoint, prefix='image_tower')),
        text_tower=dict(
            _delete_=True,
            type='RobertaEncoder',
            vocab_size=vocab_size,
            context_length=76,
            embed_dims=192,
            num_layers=4,
            num_heads=6,
            mlp_dims=768,
            drop_rate=0.0,
            attn_drop_rate=0.0,
            init_std=0.08,
        ),
        tokenizer=dict(mask_token=True),
    ),
    head=dict(type='PretrainHead', vocab_size=vocab_size),
)
train_cfg = dict(max_iters=max_iters, val_interval=500)
optim_wrapper = dict(
    optimizer=dict(lr=6e-4, betas=(0.9, 0.98), weight_decay=0.05, fused=True),
    paramwise_cfg=dict(custom_keys=dict(image_tower=dict(lr_mult=0.5))),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-5),
]
