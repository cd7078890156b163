# Video CoSwin-B (104 M) and a linear head, for 224 px and 32 frames; the classes of Kinetics-400.
_base_ = 'recognizer3d_video-coswin-t.py'
model = dict(backbone=dict(arch='base'), cls_head=dict(in_channels=1024))
