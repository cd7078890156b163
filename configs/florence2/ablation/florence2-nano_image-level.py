# What pretraining has to know (arXiv 2311.06242, section 6.3), in small: texts of whole images only. The other levels inherit
# from this file, and florence2-nano_transfer-*.py train all of them on the same four tasks. All start from brief texts,
# florence2-nano_brief-texts.py, as the paper's start from UniCL and BART.
#   bash tools/florence2_ablation.sh
# Hardware: two CPU cores, 28 minutes for all runs. Table: README.md of configs/florence2.
_base_ = '../florence2-nano_14min_digits.py'
load_from = 'work_dirs/florence2-nano_brief-texts'
recipe = dict(_base_.recipe, image_size=32, num_objects_probs=(0.8, 0.2))
max_iters = 500
warmup_iters = 50
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
texts_of_images = {'<CAPTION>': 1, '<DETAILED_CAPTION>': 1, '<MORE_DETAILED_CAPTION>': 1, '<OCR>': 1, '<VQA>': 1}
draw = dict(type='DrawTasks', num_tasks=4, options=_base_.options)
train_dataloader = dict(
    batch_size=32, dataset=dict(recipe=recipe, pipeline=[dict(draw, tasks=texts_of_images), dict(type='PackImageText')])
)
val_dataloader = dict(
    _delete_=True,
    **{
        name: dict(_base_.val_dataloader[name], dataset=dict(_base_.val_dataloader[name]['dataset'], recipe=recipe))
        for name in ('detection', 'grounding', 'segmentation', 'caption')
    },
)
val_evaluator = dict(
    _delete_=True, **{name: dict(type='TaskAnswers') for name in ('detection', 'grounding', 'segmentation', 'caption')}
)
test_dataloader = val_dataloader
test_evaluator = val_evaluator
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-5),
]
