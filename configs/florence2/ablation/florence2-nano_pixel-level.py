# Texts of images, regions with phrases, and their masks.
#   bash tools/florence2_ablation.sh
_base_ = './florence2-nano_region-level.py'
with_masks = {**_base_.with_regions, '<REFERRING_EXPRESSION_SEGMENTATION>': 2, '<REGION_TO_SEGMENTATION>': 1}
train_dataloader = dict(dataset=dict(pipeline=[dict(_base_.draw, tasks=with_masks), dict(type='PackImageText')]))
