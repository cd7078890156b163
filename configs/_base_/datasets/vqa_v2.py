# VQAv2 (Florence, arXiv 2111.11432, section 3.7): train and val but for 1,000 images of val, which choose the model; test-dev.
# Before: tools/dataset_converters/build_answer_vocabulary.py data/vqa_v2/answers.json data/vqa_v2/v2_mscoco_*_annotations.json
# Images: data/coco/{train2014,val2014,test2015}. Size and augmentation are METER's (arXiv 2111.02387); Florence gives none. No
# mirroring: questions say "left".
default_scope = 'florence'
image_size = 384
data_root = 'data/vqa_v2/'
image_root = '../coco'
answer_file = data_root + 'answers.json'
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='RandAugment', num_ops=2, magnitude=9),
    dict(type='ResizeCenterCrop', size=image_size),
    dict(type='PackImageText'),
]
test_pipeline = [
    dict(type='LoadImage'),
    dict(type='ResizeCenterCrop', size=image_size),
    dict(type='PackImageText'),
]
train_dataloader = dict(
    batch_size=16,  # 32 ranks x 16 = 512
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='VQAv2',
        question_files=['v2_OpenEnded_mscoco_train2014_questions.json', 'v2_OpenEnded_mscoco_val2014_questions.json'],
        annotation_files=['v2_mscoco_train2014_annotations.json', 'v2_mscoco_val2014_annotations.json'],
        data_root=data_root,
        data_prefix=dict(img_path=image_root),
        answer_file=answer_file,
        reserve=dict(images=1000, subset='val2014', take='rest'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VQAv2',
        question_files='v2_OpenEnded_mscoco_val2014_questions.json',
        annotation_files='v2_mscoco_val2014_annotations.json',
        data_root=data_root,
        data_prefix=dict(img_path=image_root),
        answer_file=answer_file,
        reserve=dict(images=1000, subset='val2014', take='reserved'),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=64,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VQAv2',
        question_files='v2_OpenEnded_mscoco_test2015_questions.json',  # test-dev is a part of it
        data_root=data_root,
        data_prefix=dict(img_path=image_root),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='VQAAccuracy')
# Then tools/leaderboards/vqa_submission.py pack, for test-dev with --take-part.
test_evaluator = dict(type='VQAAccuracy', format_only=True, outfile='work_dirs/vqa_v2_test2015.json')
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
