# Florence on Objects365 (arXiv 2111.11432, section 3.6): longer side at most 1333. Paper: 39.3 AP. The category order is that
# of the ids; files of version 2.
#   bash tools/dist_train.sh configs/dyhead/atss-dyhead8_coswin-h_12e-1333_objects365.py 8 --amp
_base_ = './atss-dyhead8_coswin-h_12e-2500_coco.py'
data_root = 'data/Objects365/Obj365_v2/'
model = dict(bbox_head=dict(num_classes=365))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomResize', scale=[(1333, 480), (1333, 800)], keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(
    batch_size=2,
    dataset=dict(
        data_root=data_root,
        ann_file='annotations/zhiyuan_objv2_train.json',
        img_prefix='train/',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file='annotations/zhiyuan_objv2_val.json', img_prefix='val/'))
val_evaluator = dict(ann_file=data_root + 'annotations/zhiyuan_objv2_val.json')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
