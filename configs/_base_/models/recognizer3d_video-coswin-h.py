# Video CoSwin-H, Florence's video tower (arXiv 2111.11432, section 2.6), in mmaction's recogniser: the mean over time and space,
# then one linear layer. Windows are for 384 px and 32 frames; tests take two views at a time, one sample a batch. A recipe sets
# num_classes.
_base_ = 'recognizer3d_video-coswin-t.py'
model = dict(
    backbone=dict(
        arch='huge',
        window_size=[(2, 12, 12), (4, 12, 12), (8, 12, 12), (16, 12, 12)],
        drop_path_rate=0.5,
        with_cp=True,
    ),
    cls_head=dict(in_channels=2048),
    test_cfg=dict(max_testing_views=2),
)
