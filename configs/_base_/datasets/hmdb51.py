# HMDB51, first fold, with the official files of its splits.
_base_ = ['./action_loaders.py', './action_views_224.py']
data_root = 'data/hmdb51/'
train_annotation = dict(
    data_root=data_root,
    ann_file='testTrainMulti_7030_splits',
    layout='hmdb51',
    fold=1,
    data_prefix=dict(video='videos'),
    split='train',
)
held_out = dict(
    data_root=data_root,
    ann_file='testTrainMulti_7030_splits',
    layout='hmdb51',
    fold=1,
    data_prefix=dict(video='videos'),
    split='test',
)
train_dataloader = dict(dataset=dict(**train_annotation, pipeline=_base_.views_224_train))
val_dataloader = dict(dataset=dict(**held_out, pipeline=_base_.views_224_val))
test_dataloader = dict(dataset=dict(**held_out, pipeline=_base_.views_224_test))
