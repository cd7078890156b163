# What the pretraining with texts of images brings to the four tasks of the paper's ablation.
#   bash tools/florence2_ablation.sh
_base_ = './florence2-nano_image-level.py'
load_from = 'work_dirs/florence2-nano_image-level'
max_iters = 200
warmup_iters = 20
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
four_tasks = {'<DETAILED_CAPTION>': 1, '<OD>': 1, '<CAPTION_TO_PHRASE_GROUNDING>': 1, '<REFERRING_EXPRESSION_SEGMENTATION>': 1}
train_dataloader = dict(dataset=dict(seed=1, pipeline=[dict(_base_.draw, tasks=four_tasks), dict(type='PackImageText')]))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-5),
]
