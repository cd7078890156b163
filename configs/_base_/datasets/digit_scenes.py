# Digit scenes: real handwritten digits in composed scenes, rendered on the fly; train and test show different scans.
default_scope = 'florence'
image_size = 32
train_pipeline = [
    dict(type='HashTextLabel'),
    dict(type='ExpandShortText', max_words=2),
    dict(type='PackImageText'),
]
test_pipeline = [dict(type='PackImageText')]

train_dataloader = dict(
    batch_size=256,
    num_workers=0,  # rendering takes 0.1 ms a scene: a worker process would cost more than it saves
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=False),
    dataset=dict(
        type='DigitScenePairs',
        num_scenes=10_000_000,
        split='train',
        recipe=dict(image_size=image_size, num_objects_probs=(0.9, 0.1)),
        granularity_probs=dict(short=0.35, medium=0.35, detailed=0.3),
        pipeline=train_pipeline,
    ),
)


def _test_loader(dataset_type, **arguments):
    return dict(
        batch_size=250,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(type=dataset_type, split='test', pipeline=test_pipeline, **arguments),
    )


val_dataloader = dict(
    digits=_test_loader('DigitSceneClassification', num_scenes=1000, task='digit', image_size=image_size),
    colors=_test_loader('DigitSceneClassification', num_scenes=1000, task='color', image_size=image_size),
    # 20 pairs of digit and colour that no training scene shows, to be told among all 80.
    unseen_pairs=_test_loader(
        'DigitSceneClassification', num_scenes=1000, task='digit_color', pairs='unseen', image_size=image_size
    ),
    retrieval=_test_loader(
        'DigitSceneRetrieval', num_scenes=500, recipe=dict(image_size=image_size, num_objects_probs=(0.9, 0.1))
    ),
)
val_evaluator = dict(
    digits=dict(type='ZeroShotAccuracy', topk=(1, 5)),
    colors=dict(type='ZeroShotAccuracy', topk=(1,)),
    unseen_pairs=dict(type='ZeroShotAccuracy', topk=(1, 5)),
    retrieval=dict(type='ImageTextRetrieval'),
)
val_cfg = dict(type='MultiDatasetValLoop')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type='MultiDatasetTestLoop')
