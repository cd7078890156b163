# COCO captions as text, at 768 px, on the Karpathy splits: 113,287 images of train and restval, 5,000 to test on.
_base_ = './florence2_loaders.py'
image_size = 768
data_root = 'data/coco/'
resize = dict(type='ResizeWhole', height=image_size, width=image_size)


def _set(year_split, split, task, **arguments):
    return dict(
        type='CocoCaptions',
        ann_file=f'annotations/captions_{year_split}2014.json',
        data_root=data_root,
        data_prefix=dict(img_path=f'{year_split}2014'),
        karpathy_file=data_root + 'annotations/dataset_coco.json',
        split=split,
        pipeline=[dict(type='LoadImage'), dict(type='AnnotationsToRecord'), task, resize, dict(type='PackImageText')],
        **arguments,
    )


draw = dict(type='DrawTasks', tasks={'<CAPTION>': 1})
ask = dict(type='AskTask', tag='<CAPTION>')
# restval, as test, is a part of val2014.
train_dataloader = dict(dataset=dict(type='ConcatDataset', datasets=[_set('train', 'train', draw), _set('val', 'restval', draw)]))
val_dataloader = dict(dataset=_set('val', 'val', ask, test_mode=True))
test_dataloader = dict(dataset=_set('val', 'test', ask, test_mode=True))
