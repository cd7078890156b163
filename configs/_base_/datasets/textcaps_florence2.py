# TextCaps (arXiv 2003.12462), whose captions read the text in an image, at 768 px: 21,953 images to learn from, val to test on.
# Images are those of TextVQA, in data/textvqa/train_images.
_base_ = './florence2_loaders.py'
image_size = 768
data_root = 'data/textcaps/'
resize = dict(type='ResizeWhole', height=image_size, width=image_size)


def _set(split, task, **arguments):
    return dict(
        type='TextCaps',
        ann_file=f'TextCaps_0.1_{split}.json',
        data_root=data_root,
        data_prefix=dict(img_path='../textvqa/train_images'),
        pipeline=[dict(type='LoadImage'), dict(type='AnnotationsToRecord'), task, resize, dict(type='PackImageText')],
        **arguments,
    )


train_dataloader = dict(dataset=_set('train', dict(type='DrawTasks', tasks={'<CAPTION>': 1})))
val_dataloader = dict(dataset=_set('val', dict(type='AskTask', tag='<CAPTION>'), test_mode=True))
test_dataloader = val_dataloader
