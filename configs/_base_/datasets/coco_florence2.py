# Boxes of COCO 2017 as text, at 768 px. Another data set in COCO's format changes data_root and the annotation files.
_base_ = './florence2_loaders.py'
image_size = 768
data_root = 'data/coco/'
resize = dict(type='ResizeWhole', height=image_size, width=image_size)


def _set(split, task, **arguments):
    return dict(
        type='CocoDetection',
        data_root=data_root,
        ann_file=f'annotations/instances_{split}2017.json',
        img_prefix=f'{split}2017/',
        pipeline=[dict(type='LoadImage'), dict(type='AnnotationsToRecord'), task, resize, dict(type='PackImageText')],
        **arguments,
    )


train_dataloader = dict(dataset=_set('train', dict(type='DrawTasks', tasks={'<OD>': 1}, options=dict(max_regions=100))))
val_dataloader = dict(dataset=_set('val', dict(type='AskTask', tag='<OD>'), test_mode=True))
test_dataloader = val_dataloader
