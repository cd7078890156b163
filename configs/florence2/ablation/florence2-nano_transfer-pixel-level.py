# What the pretraining with texts, regions and masks brings to the four tasks.
#   bash tools/florence2_ablation.sh
_base_ = './florence2-nano_transfer-image-level.py'
load_from = 'work_dirs/florence2-nano_pixel-level'
