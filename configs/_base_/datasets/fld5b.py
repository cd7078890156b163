# Records as those of FLD-5B (arXiv 2311.06242, section 4: 126 M images, 500 M texts, 1.3 B regions, 3.6 B phrases with regions;
# not public): data/fld5b/records.jsonl, one image a line with texts, regions and triplets. The paper does not say how often it
# draws which task; ours are even, but for detection and grounding, whose records are the most.
default_scope = 'florence'
image_size = 384
data_root = 'data/fld5b/'
tasks = {
    '<CAPTION>': 1,
    '<DETAILED_CAPTION>': 1,
    '<MORE_DETAILED_CAPTION>': 1,
    '<OD>': 2,
    '<DENSE_REGION_CAPTION>': 1,
    '<REGION_PROPOSAL>': 1,
    '<CAPTION_TO_PHRASE_GROUNDING>': 2,
    '<REFERRING_EXPRESSION_SEGMENTATION>': 1,
    '<REGION_TO_SEGMENTATION>': 1,
    '<OPEN_VOCABULARY_DETECTION>': 1,
    '<REGION_TO_CATEGORY>': 1,
    '<REGION_TO_DESCRIPTION>': 1,
    '<OCR>': 1,
    '<OCR_WITH_REGION>': 1,
    '<REGION_TO_OCR>': 1,
}
# Boxes beyond the cap are left out of the target, the smallest first: 100 boxes are 400 tokens and their labels.
options = dict(order='area', max_regions=100)
train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='ImageRecords',
        ann_file='records.jsonl',
        data_root=data_root,
        data_prefix=dict(img_path='images'),
        pipeline=[
            dict(type='LoadImage'),
            dict(type='DrawTasks', tasks=tasks, options=options),
            dict(type='ResizeWhole', height=image_size, width=image_size),
            dict(type='PackImageText'),
        ],
    ),
)


def _asked(tag):
    return dict(
        batch_size=32,
        num_workers=8,
        persistent_workers=True,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='ImageRecords',
            ann_file='val_records.jsonl',
            data_root=data_root,
            data_prefix=dict(img_path='images'),
            test_mode=True,
            pipeline=[
                dict(type='LoadImage'),
                dict(type='AskTask', tag=tag, options=options),
                dict(type='ResizeWhole', height=image_size, width=image_size),
                dict(type='PackImageText'),
            ],
        ),
    )


val_dataloader = dict(caption=_asked('<CAPTION>'), detection=_asked('<OD>'), grounding=_asked('<CAPTION_TO_PHRASE_GROUNDING>'))
val_evaluator = {name: dict(type='TaskAnswers') for name in val_dataloader}
val_cfg = dict(type='MultiDatasetValLoop')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type='MultiDatasetTestLoop')
