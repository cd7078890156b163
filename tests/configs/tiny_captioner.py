# A caption model small enough to train some steps in seconds, on digit scenes.
_base_ = ['../../configs/meter/meter-caption_coswin-nano_digits.py']
load_from = None
max_iters = 4
warmup_iters = 1
image_size = 32
recipe = dict(image_size=image_size, num_objects_probs=(1.0,))
model = dict(
    encoder=dict(
        image_tower=dict(init_cfg=None),
        text_tower=dict(vocab_size=300, embed_dims=16, num_layers=1, num_heads=2, mlp_dims=16),
        tokenizer=dict(vocab_size=300),
        fusion=dict(embed_dims=16, num_layers=2, num_heads=2),
    ),
    head=dict(decoding=dict(num_beams=2, max_new_tokens=6)),
)
train_cfg = dict(max_iters=max_iters, val_interval=100)
train_dataloader = dict(batch_size=8, dataset=dict(num_scenes=64, recipe=recipe))
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=4))
param_scheduler = [dict(type='ConstantLR', factor=1.0, by_epoch=False)]
optim_wrapper = dict(paramwise_cfg=dict(_delete_=True))
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(vis_backends=vis_backends)
val_dataloader = None
val_evaluator = None
val_cfg = None
test_dataloader = None
test_evaluator = None
test_cfg = None
