# All that is known of digit scenes of one or two digits at 48 px, all tasks of Florence-2 mixed; train and test show different
# scans.
default_scope = 'florence'
image_size = 48
recipe = dict(image_size=image_size, num_objects_probs=(0.6, 0.4), pairs='all')
tasks = {
    '<CAPTION>': 1,
    '<DETAILED_CAPTION>': 1,
    '<MORE_DETAILED_CAPTION>': 1,
    '<OD>': 4,
    '<DENSE_REGION_CAPTION>': 1,
    '<REGION_PROPOSAL>': 0.5,
    '<CAPTION_TO_PHRASE_GROUNDING>': 4,
    '<REFERRING_EXPRESSION_SEGMENTATION>': 3,
    '<REGION_TO_SEGMENTATION>': 0.5,
    '<OPEN_VOCABULARY_DETECTION>': 1,
    '<REGION_TO_CATEGORY>': 0.5,
    '<REGION_TO_DESCRIPTION>': 0.5,
    '<OCR>': 2,
    '<OCR_WITH_REGION>': 1,
    '<REGION_TO_OCR>': 0.5,
    '<VQA>': 1,
}
options = dict(order='left_right')
train_dataloader = dict(
    batch_size=24,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=False),
    dataset=dict(
        type='DigitSceneRecords',
        num_scenes=10_000_000,
        split='train',
        recipe=recipe,
        outline='hull',
        pipeline=[dict(type='DrawTasks', tasks=tasks, num_tasks=4, options=options), dict(type='PackImageText')],
    ),
)


def _asked(tag, num_scenes=250):
    return dict(
        batch_size=50,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='DigitSceneRecords',
            num_scenes=num_scenes,
            split='test',
            recipe=recipe,
            outline='hull',
            pipeline=[dict(type='AskTask', tag=tag, options=options), dict(type='PackImageText')],
        ),
    )


val_dataloader = dict(
    detection=_asked('<OD>'),
    grounding=_asked('<CAPTION_TO_PHRASE_GROUNDING>'),
    segmentation=_asked('<REFERRING_EXPRESSION_SEGMENTATION>'),
    ocr=_asked('<OCR>'),
    caption=_asked('<DETAILED_CAPTION>'),
    vqa=_asked('<VQA>'),
)
val_evaluator = {name: dict(type='TaskAnswers') for name in val_dataloader}
val_cfg = dict(type='MultiDatasetValLoop')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type='MultiDatasetTestLoop')
