# Flickr30k Entities (arXiv 1505.04870) as text, at 768 px: 29,783 images to learn from, 1,000 each to choose and to test on.
# data/flickr30k/ holds Sentences, Annotations, train.txt, val.txt and test.txt; its folder images the photographs. An image is
# encoded once for two of its sentences.
_base_ = './florence2_loaders.py'
image_size = 768
data_root = 'data/flickr30k/'
tag = '<CAPTION_TO_PHRASE_GROUNDING>'
resize = dict(type='ResizeWhole', height=image_size, width=image_size)


def _set(split, task, **arguments):
    return dict(
        type='Flickr30kEntities',
        ann_file=f'{split}.txt',
        data_root=data_root,
        data_prefix=dict(img_path='images'),
        pipeline=[dict(type='LoadImage'), task, resize, dict(type='PackImageText')],
        **arguments,
    )


train_dataloader = dict(dataset=_set('train', dict(type='DrawTasks', tasks={tag: 1}, num_tasks=2)))
val_dataloader = dict(dataset=_set('val', dict(type='AskTask', tag=tag), test_mode=True))
test_dataloader = dict(dataset=_set('test', dict(type='AskTask', tag=tag), test_mode=True))
