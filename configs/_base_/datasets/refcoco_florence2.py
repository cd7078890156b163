# RefCOCO as text, at 768 px: boxes (REC) and masks (RES) of referring expressions, both learned at once. Files as REFER publishes
# them, data/refcoco/<set>/refs(<by>).p and instances.json; images: data/coco/train2014. Training encodes an image once for four
# of its expressions, evaluation asks for each on its own. The prompt of REC is not published: phrase grounding of the whole
# expression.
_base_ = './florence2_loaders.py'
image_size = 768
data_root = 'data/refcoco/'
resize = dict(type='ResizeWhole', height=image_size, width=image_size)
tags = dict(rec='<CAPTION_TO_PHRASE_GROUNDING>', res='<REFERRING_EXPRESSION_SEGMENTATION>')


def _set(split, task, **arguments):
    return dict(
        type='RefCOCO',
        ann_file='refcoco/refs(unc).p',
        split=split,
        data_root=data_root,
        data_prefix=dict(img_path='../coco/train2014'),
        pipeline=[dict(type='LoadImage'), task, resize, dict(type='PackImageText')],
        **arguments,
    )


def _asked(tag, split):
    return dict(
        batch_size=8,
        num_workers=4,
        persistent_workers=True,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=_set(split, dict(type='AskTask', tag=tag), test_mode=True),
    )


draw = dict(type='DrawTasks', tasks={tag: 1 for tag in tags.values()}, num_tasks=4)
train_dataloader = dict(dataset=_set('train', draw, per='image'))
val_dataloader = dict(_delete_=True, **{name: _asked(tag, 'val') for name, tag in tags.items()})
val_evaluator = dict(_delete_=True, **{name: dict(type='TaskAnswers') for name in tags})
val_cfg = dict(type='MultiDatasetValLoop')
test_dataloader = dict(
    _delete_=True, **{f'{name}_{split}': _asked(tag, split) for name, tag in tags.items() for split in ('testA', 'testB')}
)
test_evaluator = dict(_delete_=True, **{name: dict(type='TaskAnswers') for name in test_dataloader if name != '_delete_'})
test_cfg = dict(type='MultiDatasetTestLoop')
