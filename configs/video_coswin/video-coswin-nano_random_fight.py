# The recipe of video-coswin-nano_fight.py from random weights: what the tower that learnt the actions of digits is worth.
#   bash tools/dist_train.sh configs/video_coswin/video-coswin-nano_random_fight.py 2
# Hardware: two CPU cores, minutes. Expected figures: metafile.yml.
_base_ = 'video-coswin-nano_fight.py'
model = dict(backbone=dict(init_cfg=None))
