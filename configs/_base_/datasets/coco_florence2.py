# Boxes of COCO 2017 as text, at 768 px. Another data set in COCO's format changes data_root and the annotation files.
default_scope = 'florence'
image_size = 768
data_root = 'data/coco/'
resize = dict(type='ResizeWhole', height=image_size, width=image_size)
train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='CocoDetection',
        data_root=data_root,
        ann_file='annotations/instances_train2017.json',
        img_prefix='train2017/',
        pipeline=[
            dict(type='LoadImage'),
            dict(type='AnnotationsToRecord'),
            dict(type='DrawTasks', tasks={'<OD>': 1}, options=dict(max_regions=100)),
            resize,
            dict(type='PackImageText'),
        ],
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CocoDetection',
        data_root=data_root,
        ann_file='annotations/instances_val2017.json',
        img_prefix='val2017/',
        test_mode=True,
        pipeline=[
            dict(type='LoadImage'),
            dict(type='AnnotationsToRecord'),
            dict(type='AskTask', tag='<OD>'),
            resize,
            dict(type='PackImageText'),
        ],
    ),
)
val_evaluator = dict(type='TaskAnswers')
val_cfg = dict(type='ValLoop')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type='TestLoop')
