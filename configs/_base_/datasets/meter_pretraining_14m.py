# The pairs of Florence's vision-language pretraining (arXiv 2111.11432, section 3.7): COCO, Visual Genome, SBU, CC3M and CC12M,
# 14 M images with 20 M captions, at 384 px. Each time an image is read one of its captions is drawn. Images below
# data/<set>/images, named by their row (CC3M, CC12M) or as on the web (SBU); sets that img2dataset packed into shards: see
# cc15m.py. The captions of Karpathy's val and test splits of COCO are not trained on; some of their images are in Visual Genome,
# which METER did not take out either.
default_scope = 'florence'
image_size = 384
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='ResizeCenterCrop', size=image_size),
    dict(type='PickCaption'),
    dict(type='HashTextLabel'),
    dict(type='PackImageText'),
]
test_pipeline = [
    dict(type='LoadImage'),
    dict(type='ResizeCenterCrop', size=image_size),
    dict(type='PackImageText'),
]
images = dict(img_path='images')
karpathy_file = 'data/coco/annotations/dataset_coco.json'
coco = dict(
    type='CocoCaptions',
    ann_file='annotations/captions_train2014.json',
    data_root='data/coco',
    data_prefix=dict(img_path='train2014'),
    pipeline=train_pipeline,
)
coco_restval = dict(
    type='CocoCaptions',
    ann_file='annotations/captions_val2014.json',
    data_root='data/coco',
    data_prefix=dict(img_path='val2014'),
    karpathy_file=karpathy_file,
    split='restval',
    pipeline=train_pipeline,
)
visual_genome = dict(
    type='VisualGenomeCaptions',
    ann_file='region_descriptions.json',
    image_file='image_data.json',
    data_root='data/visual_genome',
    pipeline=train_pipeline,
)
sbu = dict(
    type='DownloadedPairs',
    ann_file='sbu-captions-all.json',
    file_name='{name}',
    data_root='data/sbu',
    data_prefix=images,
    pipeline=train_pipeline,
)
cc3m = dict(
    type='DownloadedPairs',
    ann_file='Train_GCC-training.tsv',
    data_root='data/cc3m',
    data_prefix=images,
    pipeline=train_pipeline,
)
cc12m = dict(
    type='DownloadedPairs',
    ann_file='cc12m.tsv',
    columns=('url', 'caption'),
    data_root='data/cc12m',
    data_prefix=images,
    pipeline=train_pipeline,
)
train_dataloader = dict(
    batch_size=32,  # 128 ranks x 32 = 4,096
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(type='ConcatDataset', datasets=[coco, coco_restval, visual_genome, sbu, cc3m, cc12m]),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CocoCaptions',
        ann_file='annotations/captions_val2014.json',
        data_root='data/coco',
        data_prefix=dict(img_path='val2014'),
        karpathy_file=karpathy_file,
        split='val',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='PretrainMetric')
val_cfg = dict(type='ValLoop')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type='TestLoop')
