# Questions about digit scenes of one to three digits at 64 px; train and test show different scans. Digits in company
# are as large, in pixels, as the single ones that the UniCL recipe's image tower has learnt on 32 px. In training each scene is
# asked about eight times.
default_scope = 'florence'
image_size = 64
recipe = dict(image_size=image_size, num_objects_probs=(0.3, 0.5, 0.2), object_scale=0.8)
# Those of florence.datasets.digit_scenes.questions.ANSWERS.
answers = [
    'yes', 'no', '1', '2', '3', '4',
    'red', 'orange', 'yellow', 'green', 'cyan', 'blue', 'purple', 'white',
    'zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine',
    'black', 'grey', 'brown', 'navy',
]  # fmt: skip
pipeline = [dict(type='PackImageText')]
train_dataloader = dict(
    batch_size=96,  # twelve scenes; two processes take turns at the entries: each gets half of the questions about 24 scenes
    num_workers=0,  # rendering takes 0.1 ms a scene: a worker process would cost more than it saves
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=False),
    dataset=dict(
        type='DigitSceneVQA',
        num_scenes=2_000_000,
        split='train',
        recipe=recipe,
        # Number and ground are learnt soon, place and size late.
        question_types=['count', 'ground', 'place', 'size', *2 * ['color', 'which', 'presence']],
        questions_per_scene=8,
        pipeline=pipeline,
    ),
)
val_dataloader = dict(
    batch_size=250,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='DigitSceneVQA', num_scenes=2000, split='test', recipe=recipe, pipeline=pipeline),
)
val_evaluator = dict(type='VQAAccuracy')
val_cfg = dict(type='ValLoop')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type='TestLoop')
