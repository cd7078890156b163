# A two-tower model small enough to train 20 steps in seconds, on digit scenes, for the tests of the training engine.
_base_ = ['../../configs/_base_/default_runtime.py', '../../configs/_base_/schedules/adamw_cosine.py']
default_scope = 'florence'
max_iters = 20
warmup_iters = 5
train_pipeline = [dict(type='HashTextLabel'), dict(type='ExpandShortText', max_words=2), dict(type='PackImageText')]
model = dict(
    type='TwoTower',
    image_tower=dict(
        type='CoSwin',
        arch=dict(embed_dims=(16, 32, 32, 32), depths=(1, 1, 1, 1), num_heads=(2, 2, 2, 2), window_size=4),
        drop_path_rate=0.0,
    ),
    text_tower=dict(
        type='TextTransformer', vocab_size=300, embed_dims=32, num_layers=2, num_heads=2, mlp_dims=64, causal=False, pool='mean'
    ),
    tokenizer=dict(type='TrainedBPE', vocab_size=300, context_length=24),
    embed_dims=32,
)
custom_hooks = [dict(type='TrainTokenizerHook'), dict(type='EMAHook', momentum=0.1)]
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=False),
    dataset=dict(
        type='DigitScenePairs',
        num_scenes=4096,
        split='train',
        recipe=dict(image_size=32),
        granularity_probs=dict(short=0.5, medium=0.5),
        pipeline=train_pipeline,
    ),
)
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=warmup_iters)]
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=5))
log_processor = dict(window_size=1)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(vis_backends=vis_backends)
