# Vision-language pretraining (masked words, matching) on digit scenes, the embedded twin of Florence's METER pretraining (arXiv
# 2111.11432, sections 2.5 and 3.7). The image tower starts from the UniCL recipe's checkpoint, a small RoBERTa and the fusion
# from random weights. Twice as many words as METER's are hidden: captions are short.
#   bash tools/dist_train.sh configs/meter/meter-pretrain_coswin-nano_digits.py 2
# Hardware: two CPU cores. Expected figures on held-out scans: metafile.yml.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/meter_coswin-nano.py',
    '../_base_/datasets/digit_scenes_pretraining.py',
    '../_base_/schedules/adamw_cosine.py',
]
unicl_checkpoint = 'work_dirs/quickstart/iter_1800.pth'
max_iters = 600
warmup_iters = 60
model = dict(
    encoder=dict(image_tower=dict(init_cfg=dict(type='Pretrained', checkpoint=unicl_checkpoint, prefix='image_tower'))),
    head=dict(type='PretrainHead', vocab_size=640, mask_ratio=0.3),
)
# The tokenizer shall know the words of questions, too, for models that start from this one.
custom_hooks = [
    dict(
        type='TrainTokenizerHook',
        more_texts=[
            'how many digits are there?',
            'what color is the ground?',
            'which digit is red?',
            'is there a red digit?',
            'is the one left of the two?',
            'is the one right of the two?',
            'is the one above the two?',
            'is the one below the two?',
            'is the one larger than the two?',
            'is the one smaller than the two?',
        ],
    )
]
train_cfg = dict(max_iters=max_iters, val_interval=300)
optim_wrapper = dict(
    optimizer=dict(lr=1e-3, betas=(0.9, 0.98), weight_decay=0.05, fused=True),
    # The tower knows digits well; at a higher rate it forgets them faster than masked words teach them.
    paramwise_cfg=dict(custom_keys=dict(image_tower=dict(lr_mult=0.1))),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-5),
]
