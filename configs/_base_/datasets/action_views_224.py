# Views of 224 px: 32 frames at every second one, four clips with three crops in tests (Video Swin's recipe, arXiv 2106.13230).
views_224_train = [
    dict(type='florence.OpenVideo'),
    dict(type='florence.SampleClips', clip_len=32, frame_interval=2),
    dict(type='florence.DecodeVideo'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='RandomResizedCrop'),
    dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
views_224_val = [
    dict(type='florence.OpenVideo'),
    dict(type='florence.SampleClips', clip_len=32, frame_interval=2, test_mode=True),
    dict(type='florence.DecodeVideo'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
views_224_test = [
    dict(type='florence.OpenVideo'),
    dict(type='florence.SampleClips', clip_len=32, frame_interval=2, num_clips=4, test_mode=True),
    dict(type='florence.DecodeVideo'),
    dict(type='Resize', scale=(-1, 224)),
    dict(type='ThreeCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
