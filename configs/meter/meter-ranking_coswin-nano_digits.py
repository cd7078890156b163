# Image-text retrieval on digit scenes of two or three digits: UniCL's two towers propose, METER's fusion ranks, the embedded twin
# of METER's fine-tuning for retrieval (arXiv 2111.02387, section 4.1). The two towers start from the UniCL recipe's
# checkpoint and stay as they are, METER from the latest checkpoint of the pretraining twin.
#   bash tools/dist_train.sh configs/meter/meter-ranking_coswin-nano_digits.py 2
# Hardware: two CPU cores. Expected figures on held-out scans, beside those of the two towers alone: metafile.yml.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/meter_coswin-nano.py',
    '../_base_/schedules/adamw_cosine.py',
]
default_scope = 'florence'
load_from = 'work_dirs/meter-pretrain_coswin-nano_digits'
unicl_checkpoint = 'work_dirs/quickstart/iter_1800.pth'
image_size = 64
max_iters = 500
warmup_iters = 50
model = dict(
    head=dict(
        type='RankingHead',
        two_tower=dict(
            type='TwoTower',
            image_tower=dict(type='CoSwin', arch='nano'),
            text_tower=dict(
                type='TextTransformer', vocab_size=512, embed_dims=96, num_layers=2, num_heads=4, mlp_dims=384, causal=False,
                pool='mean',
            ),
            tokenizer=dict(type='TrainedBPE', vocab_size=512, context_length=76),
            embed_dims=256,
            init_cfg=dict(type='Pretrained', checkpoint=unicl_checkpoint),
        ),
        two_tower_size=32,
        num_negatives=3,
    ),
)  # fmt: skip
recipe = dict(image_size=image_size, num_objects_probs=(0.0, 0.5, 0.5))
pipeline = [dict(type='HashTextLabel'), dict(type='PackImageText')]
train_dataloader = dict(
    batch_size=32,
    num_workers=0,  # rendering takes 0.1 ms a scene: a worker process would cost more than it saves
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=False),
    dataset=dict(
        type='DigitScenePairs', num_scenes=10_000_000, split='train', recipe=recipe, granularity_probs=dict(detailed=1.0),
        pipeline=pipeline,
    ),
)  # fmt: skip
val_dataloader = dict(
    batch_size=250,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='DigitSceneRetrieval', num_scenes=500, split='test', recipe=recipe, pipeline=[dict(type='PackImageText')]),
)
val_evaluator = dict(type='FusedRetrieval')
val_cfg = dict(type='FusedRetrievalValLoop', top_k=32)
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type='FusedRetrievalTestLoop', top_k=32)
train_cfg = dict(max_iters=max_iters, val_interval=250)
optim_wrapper = dict(
    optimizer=dict(lr=5e-4, betas=(0.9, 0.98), weight_decay=0.05, fused=True),
    paramwise_cfg=dict(custom_keys=dict(image_tower=dict(lr_mult=0.2))),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-5),
]
