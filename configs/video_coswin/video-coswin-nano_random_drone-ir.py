# The recipe of video-coswin-nano_drone-ir.py from random weights: what the image tower that UniCL trained is worth.
#   bash tools/dist_train.sh configs/video_coswin/video-coswin-nano_random_drone-ir.py 2
# Hardware: two CPU cores, minutes. Expected figures: metafile.yml.
_base_ = 'video-coswin-nano_drone-ir.py'
model = dict(backbone=dict(init_cfg=None))
