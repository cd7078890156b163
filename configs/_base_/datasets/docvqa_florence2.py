# DocVQA (arXiv 2007.00398), questions about pages of documents, at 768 px: 39,463 to learn from, 5,349 of val, 5,188 of test.
# Each answer is a right one, and one of them is drawn; the figure is VQA/ANLS. data/docvqa/ holds train_v1.0.json, val_v1.0.json,
# test_v1.0.json and documents/. Other sets of this form name their columns.
_base_ = './florence2_loaders.py'
image_size = 768
data_root = 'data/docvqa/'
resize = dict(type='ResizeWhole', height=image_size, width=image_size)


def _set(split, answers, *steps, **arguments):
    return dict(
        type='VQARecords',
        ann_file=f'{split}_v1.0.json',
        records_field='data',
        columns=dict(image='image', answers=answers, question_id='questionId'),
        data_root=data_root,
        pipeline=[dict(type='LoadImage'), *steps, resize, dict(type='PackImageText')],
        **arguments,
    )


to_record = dict(type='AnnotationsToRecord')
train_dataloader = dict(dataset=_set('train', 'answers', to_record, dict(type='DrawTasks', tasks={'<VQA>': 1})))
val_dataloader = dict(dataset=_set('val', 'answers', to_record, dict(type='AskTask', tag='<VQA>'), test_mode=True))
test_dataloader = dict(dataset=_set('test', None, dict(type='AskTask', tag='<VQA>', unanswered=True), test_mode=True))
# Then tools/leaderboards/vqa_submission.py pack --dataset docvqa.
test_evaluator = dict(format_only=True, outfile='work_dirs/docvqa_test.json')
