# The tiny two-tower model with a few test scenes, for the tests of the command-line tools.
_base_ = './tiny_two_tower.py'
train_cfg = dict(max_iters=2)
default_hooks = dict(checkpoint=dict(interval=2))
test_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='DigitSceneClassification', num_scenes=16, split='test', task='color', image_size=32,
        pipeline=[dict(type='PackImageText')],
    ),
)  # fmt: skip
test_evaluator = dict(type='ZeroShotAccuracy', topk=(1,))
test_cfg = dict()
