# Florence's detector on LVIS v1: 1,203 classes, images of rare classes repeated, 300 boxes an image. The paper gives no figure.
#   bash tools/dist_train.sh configs/dyhead/atss-dyhead8_coswin-h_24e_lvis.py 8 --amp
_base_ = './atss-dyhead8_coswin-h_12e-2500_coco.py'
data_root = 'data/lvis_v1/'
max_epochs = 24
train_cfg = dict(max_epochs=max_epochs, val_interval=4)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=1000),
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=max_epochs, milestones=[16, 22], gamma=0.1),
]
model = dict(
    bbox_head=dict(num_classes=1203),
    # 300 boxes an image, and none lost to a threshold that rare classes do not reach
    test_cfg=dict(score_thr=1e-4, max_per_img=300),
)
tta_model = dict(tta_cfg=dict(max_per_img=300))
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ClassBalancedDataset',
        oversample_thr=1e-3,
        dataset=dict(
            type='florence.CocoDetection',
            data_root=data_root,
            ann_file='annotations/lvis_v1_train.json',
            filter_empty=True,
            min_size=32,
            with_masks=False,
            pipeline={{_base_.train_pipeline}},
        ),
    ),
)
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file='annotations/lvis_v1_val.json', img_prefix=''))
val_evaluator = dict(_delete_=True, type='florence.LVISDetectionMetric', ann_file=data_root + 'annotations/lvis_v1_val.json')
default_hooks = dict(checkpoint=dict(save_best='lvis/bbox_AP'))
test_dataloader = val_dataloader
test_evaluator = val_evaluator
