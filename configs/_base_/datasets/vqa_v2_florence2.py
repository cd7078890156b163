# VQAv2 as text, at 768 px: train and val but for 1,000 images of val, which choose the model; test-dev and test-std. The answer
# of one annotator is drawn anew each time. Images: data/coco/{train2014,val2014,test2015}.
_base_ = './florence2_loaders.py'
image_size = 768
data_root = 'data/vqa_v2/'
resize = dict(type='ResizeWhole', height=image_size, width=image_size)


def _set(subsets, steps, **arguments):
    return dict(
        type='VQAv2',
        question_files=[f'v2_OpenEnded_mscoco_{subset}_questions.json' for subset in subsets],
        data_root=data_root,
        data_prefix=dict(img_path='../coco'),
        pipeline=[dict(type='LoadImage'), *steps, resize, dict(type='PackImageText')],
        **arguments,
    )


def _answers(subsets):
    return [f'v2_mscoco_{subset}_annotations.json' for subset in subsets]


train, val = ['train2014', 'val2014'], ['val2014']
train_dataloader = dict(
    dataset=_set(
        train,
        [dict(type='AnnotationsToRecord'), dict(type='DrawTasks', tasks={'<VQA>': 1})],
        annotation_files=_answers(train),
        reserve=dict(images=1000, subset='val2014', take='rest'),
    )
)
val_dataloader = dict(
    dataset=_set(
        val,
        [dict(type='AnnotationsToRecord'), dict(type='AskTask', tag='<VQA>')],
        annotation_files=_answers(val),
        reserve=dict(images=1000, subset='val2014', take='reserved'),
        test_mode=True,
    )
)
test_dataloader = dict(
    dataset=_set(['test2015'], [dict(type='AskTask', tag='<VQA>', unanswered=True)], test_mode=True)  # test-dev is a part of it
)
# Then tools/leaderboards/vqa_submission.py pack, for test-dev with --take-part.
test_evaluator = dict(format_only=True, outfile='work_dirs/vqa_v2_test2015.json')
