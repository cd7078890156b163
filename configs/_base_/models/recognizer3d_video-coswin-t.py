# Video CoSwin-T, of Video Swin-T's size, in mmaction's recogniser: the mean over time and space, then one linear layer. A recipe
# sets num_classes.
model = dict(
    type='Recognizer3D',
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[122.771, 116.746, 104.094],
        std=[68.501, 66.632, 70.323],
        format_shape='NCTHW',
    ),
    backbone=dict(type='florence.VideoCoSwin', arch='tiny'),
    cls_head=dict(
        type='I3DHead',
        in_channels=768,
        num_classes=400,
        spatial_type='avg',
        dropout_ratio=0.5,
        average_clips='prob',
    ),
)
custom_hooks = [dict(type='florence.NumClassesHook')]
