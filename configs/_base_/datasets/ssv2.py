# Something-Something V2 with the official files; labels.json lies beside the lists. Clips of 32 frames spread over the whole
# video, never mirrored (classes say left and right), one clip with three crops in tests (Video Swin, arXiv 2106.13230).
_base_ = './action_loaders.py'
data_root = 'data/ssv2/'
sampling = dict(type='florence.SampleClips', clip_len=32, mode='uniform')
train_pipeline = [
    dict(type='florence.OpenVideo'),
    sampling,
    dict(type='florence.DecodeVideo'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='RandomResizedCrop'),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='florence.RandAugmentClip', num_ops=4, magnitude=7),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
val_pipeline = [
    dict(type='florence.OpenVideo'),
    dict(sampling, test_mode=True),
    dict(type='florence.DecodeVideo'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
test_pipeline = [
    dict(type='florence.OpenVideo'),
    dict(sampling, test_mode=True),
    dict(type='florence.DecodeVideo'),
    dict(type='Resize', scale=(-1, 224)),
    dict(type='ThreeCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
train_annotation = dict(data_root=data_root, layout='ssv2', data_prefix=dict(video='videos'), ann_file='annotations/train.json')
held_out = dict(data_root=data_root, layout='ssv2', data_prefix=dict(video='videos'), ann_file='annotations/validation.json')
train_dataloader = dict(dataset=dict(**train_annotation, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(**held_out, pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(**held_out, pipeline=test_pipeline))
