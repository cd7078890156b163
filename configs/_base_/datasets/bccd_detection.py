# Blood cells (BCCD): 205 training, 87 validation and 72 test images of 640 x 480, three classes; one of the eleven sets of
# Florence's zero-shot table. Each split is a COCO file made from the VOC folder by tools/dataset_converters/voc_to_coco.py.
# Images are shown at a quarter of their area, for a CPU.
_base_ = 'coco_mini_detection.py'
data_root = 'data/bccd/'
flips = dict(type='RandomFlip', prob=0.5, direction=['horizontal', 'vertical'])
train_pipeline = [*_base_.train_pipeline[:3], flips, *_base_.train_pipeline[4:]]
train_dataloader = dict(
    dataset=dict(data_root=data_root, ann_file='train.json', img_prefix='images/', pipeline=train_pipeline),
)
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file='val.json', img_prefix='images/'))
val_evaluator = dict(ann_file=data_root + 'val.json', classwise=True)
test_dataloader = dict(dataset=dict(data_root=data_root, ann_file='test.json', img_prefix='images/'))
test_evaluator = dict(ann_file=data_root + 'test.json', classwise=True)
