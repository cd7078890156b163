# What the pretraining with texts and regions brings to the four tasks.
#   bash tools/florence2_ablation.sh
_base_ = './florence2-nano_transfer-image-level.py'
load_from = 'work_dirs/florence2-nano_region-level'
