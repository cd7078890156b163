# Florence-2 base, second stage of the pretraining (arXiv 2311.06242, section 6.1): 0.5 B samples at 768 px, from the first stage.
#   bash tools/dist_train.sh configs/florence2/florence2-base_pretrain-768_fld5b.py 8   (on each of 8 machines of 8 GPUs)
# Hardware: 64 GPUs. Not run here; the paper's base then has 133.0 CIDEr on COCO and 34.7 AP, without fine-tuning.
_base_ = './florence2-base_pretrain-384_fld5b.py'
load_from = 'work_dirs/florence2-base_pretrain-384_fld5b/iter_1464844.pth'
image_size = 768
max_iters = 244_141
warmup_iters = 5_000
train_cfg = dict(max_iters=max_iters)
resize = dict(type='ResizeWhole', height=image_size, width=image_size)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImage'),
            dict(type='DrawTasks', tasks=_base_.tasks, options=_base_.options),
            resize,
            dict(type='PackImageText'),
        ]
    )
)


def _asked(tag):
    steps = [dict(type='LoadImage'), dict(type='AskTask', tag=tag, options=_base_.options), resize, dict(type='PackImageText')]
    return dict(dataset=dict(pipeline=steps))


val_dataloader = dict(caption=_asked('<CAPTION>'), detection=_asked('<OD>'), grounding=_asked('<CAPTION_TO_PHRASE_GROUNDING>'))
test_dataloader = val_dataloader
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
