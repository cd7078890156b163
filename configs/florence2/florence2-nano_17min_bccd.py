# Florence-2 on real photographs on a CPU: the model of digit scenes learns to write the boxes of blood cells, from 205 images.
# docs/detection.md says how data/bccd is made. The second of two phases; both, again after a kill:
#   FLORENCE_RANKS=2 bash tools/train_phases.sh configs/florence2/florence2-nano_5min-white-cells_bccd.py \
#       configs/florence2/florence2-nano_17min_bccd.py
# Hardware: two CPU cores, 17 minutes, 22 with the first phase. Figures: README.md of this folder.
_base_ = './florence2-nano_5min-white-cells_bccd.py'
load_from = 'work_dirs/florence2-nano_5min-white-cells_bccd'
crop = [
    dict(type='mmdet.RandomCrop', crop_size=(0.4, 0.4), crop_type='relative_range'),
    dict(type='mmdet.FilterAnnotations', min_gt_bbox_wh=(30, 30)),  # pieces of cells at the edge teach nothing
]
train_dataloader = dict(
    dataset=dict(
        classes=None,
        pipeline=[
            *_base_.read,
            dict(type='RandomApply', transforms=crop, prob=0.5),
            *_base_.flip,
            dict(type='AnnotationsToRecord'),
            dict(type='DrawTasks', tasks={'<OD>': 4, '<REGION_TO_CATEGORY>': 1}, num_tasks=2),
            *_base_.pack,
        ],
    )
)
val_dataloader = dict(dataset=dict(classes=None))
max_iters = 1200
train_cfg = dict(max_iters=max_iters, val_interval=400)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=_base_.warmup_iters),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=_base_.warmup_iters, end=max_iters, eta_min=1e-5),
]
