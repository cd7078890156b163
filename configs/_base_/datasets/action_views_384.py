# Views of 384 px with RandAugment: 32 frames at every second one, four clips with three crops in tests, as Video Swin's at this
# size (arXiv 2106.13230, the recipe that Florence follows).
views_384_train = [
    dict(type='florence.OpenVideo'),
    dict(type='florence.SampleClips', clip_len=32, frame_interval=2),
    dict(type='florence.DecodeVideo'),
    dict(type='Resize', scale=(-1, 432)),
    dict(type='RandomResizedCrop'),
    dict(type='Resize', scale=(384, 384), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='florence.RandAugmentClip', num_ops=2, magnitude=9),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
views_384_val = [
    dict(type='florence.OpenVideo'),
    dict(type='florence.SampleClips', clip_len=32, frame_interval=2, test_mode=True),
    dict(type='florence.DecodeVideo'),
    dict(type='Resize', scale=(-1, 384)),
    dict(type='CenterCrop', crop_size=384),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
views_384_test = [
    dict(type='florence.OpenVideo'),
    dict(type='florence.SampleClips', clip_len=32, frame_interval=2, num_clips=4, test_mode=True),
    dict(type='florence.DecodeVideo'),
    dict(type='Resize', scale=(-1, 384)),
    dict(type='ThreeCrop', crop_size=384),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
