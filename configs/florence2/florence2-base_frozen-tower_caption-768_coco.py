# Florence-2 base fine-tuned for captions on COCO's Karpathy splits behind a frozen vision tower, which captions hardly need to
# change (arXiv 2311.06242: frozen 120.0 CIDEr, trained 118.7). The tower's maps are computed in the first epoch and read
# from the disk in the other four: 134 GB in bfloat16. Hyper-parameters are the field's.
#   bash tools/dist_train.sh configs/florence2/florence2-base_frozen-tower_caption-768_coco.py 4 --load-from florence2-base.pth
# Hardware: 4 GPUs that share a folder. Not run here; the paper's generalist has 140.0 CIDEr.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/florence2-base.py',
    '../_base_/datasets/coco_captions_384.py',
    '../_base_/schedules/adamw_cosine.py',
]
image_size = 768
model = dict(
    vision_tower=dict(
        _delete_=True,
        type='FrozenBackbone',
        backbone=dict(type='DaViT', arch='florence2-base'),
        cache=dict(folder='work_dirs/florence2-base_maps-768', dtype='bfloat16'),
    ),
)
# The same pixels at every epoch: neither crops nor flips.
resize = dict(type='ResizeWhole', height=image_size, width=image_size)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='AnnotationsToRecord'),
    dict(type='DrawTasks', tasks={'<CAPTION>': 1}),
    resize,
    dict(type='PackImageText'),
]
test_pipeline = [
    dict(type='LoadImage'),
    dict(type='AnnotationsToRecord'),
    dict(type='AskTask', tag='<CAPTION>'),
    resize,
    dict(type='PackImageText'),
]
train_dataloader = dict(
    batch_size=16,
    dataset=dict(datasets=[dict(part, pipeline=train_pipeline) for part in _base_.train_dataloader.dataset.datasets]),
)
val_dataloader = dict(batch_size=16, dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(batch_size=16, dataset=dict(pipeline=test_pipeline))
val_evaluator = [dict(type='TaskAnswers')]
test_evaluator = val_evaluator
max_iters = 8_850  # 5 epochs of 113,287 images in batches of 4 x 16
warmup_iters = 500
train_cfg = dict(max_iters=max_iters, val_interval=1_770)
optim_wrapper = dict(
    type='AmpOptimWrapper', dtype='bfloat16', optimizer=dict(lr=1e-5, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
