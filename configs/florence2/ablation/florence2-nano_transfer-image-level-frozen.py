# As florence2-nano_transfer-image-level.py, with the image tower as the pretraining has left it.
#   bash tools/florence2_ablation.sh
_base_ = './florence2-nano_transfer-image-level.py'
model = dict(vision_tower=dict(frozen_stages=3))
