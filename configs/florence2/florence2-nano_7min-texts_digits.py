# Florence-2 (arXiv 2311.06242) on digit scenes, first of two phases: texts of scenes of one digit at 32 px, from which the
# image tower learns to see, as UniCL teaches it to in the paper (section 6.1). Captions name all that there is, grounds, too:
# what this phase does not see, the second one hardly learns.
#   bash tools/dist_train.sh configs/florence2/florence2-nano_7min-texts_digits.py 2
# Hardware: two CPU cores, 7 minutes.
_base_ = './florence2-nano_14min_digits.py'
load_from = None
recipe = dict(_base_.recipe, image_size=32, num_objects_probs=(0.9, 0.1))
max_iters = 1200
warmup_iters = 100
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
asked = {
    name: dict(_base_.val_dataloader[name], dataset=dict(_base_.val_dataloader[name]['dataset'], recipe=recipe))
    for name in ('ocr', 'caption', 'vqa')
}
val_dataloader = dict(_delete_=True, **asked)
val_evaluator = dict(_delete_=True, **{name: dict(type='TaskAnswers') for name in asked})
test_dataloader = val_dataloader
test_evaluator = val_evaluator
texts = {'<DETAILED_CAPTION>': 1, '<OCR>': 1.5, '<VQA>': 0.5}
train_dataloader = dict(
    batch_size=64,
    dataset=dict(
        recipe=recipe,
        pipeline=[
            dict(type='DrawTasks', tasks=texts, num_tasks=1, options=_base_.options),
            dict(type='PackImageText'),
        ],
    ),
)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=1e-4),
]
