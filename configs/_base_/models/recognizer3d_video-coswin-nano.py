# Video CoSwin-nano, for 32 to 64 px clips on a CPU, in mmaction's recogniser: the mean over time and space, then one linear
# layer. A recipe sets num_classes.
_base_ = 'recognizer3d_video-coswin-t.py'
model = dict(
    backbone=dict(arch='nano'),
    cls_head=dict(in_channels=256, num_classes=10, dropout_ratio=0.0),
)
