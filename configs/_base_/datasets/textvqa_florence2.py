# TextVQA (arXiv 1904.08920), questions about the text in an image, at 768 px: 34,602 to learn from, 5,000 of val, 5,734 of test.
# data/textvqa/ holds TextVQA_0.5.1_{train,val,test}.json, train_images (of train and val) and test_images.
_base_ = './florence2_loaders.py'
image_size = 768
data_root = 'data/textvqa/'
resize = dict(type='ResizeWhole', height=image_size, width=image_size)


def _set(split, folder, answers, *steps, **arguments):
    return dict(
        type='VQARecords',
        ann_file=f'TextVQA_0.5.1_{split}.json',
        records_field='data',
        columns=dict(image='image_id', answers=answers, question_id='question_id'),
        image_template='{image}.jpg',
        data_root=data_root,
        data_prefix=dict(img_path=folder),
        pipeline=[dict(type='LoadImage'), *steps, resize, dict(type='PackImageText')],
        **arguments,
    )


to_record = dict(type='AnnotationsToRecord')
train_dataloader = dict(dataset=_set('train', 'train_images', 'answers', to_record, dict(type='DrawTasks', tasks={'<VQA>': 1})))
val_dataloader = dict(
    dataset=_set('val', 'train_images', 'answers', to_record, dict(type='AskTask', tag='<VQA>'), test_mode=True)
)
test_dataloader = dict(
    dataset=_set('test', 'test_images', None, dict(type='AskTask', tag='<VQA>', unanswered=True), test_mode=True)
)
# Then tools/leaderboards/vqa_submission.py pack --dataset textvqa.
test_evaluator = dict(format_only=True, outfile='work_dirs/textvqa_test.json')
