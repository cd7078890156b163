# UCF101, first fold, with the official lists; the folder of the lists holds classInd.txt.
_base_ = ['./action_loaders.py', './action_views_224.py']
data_root = 'data/ucf101/'
train_annotation = dict(
    data_root=data_root, layout='ucf101', data_prefix=dict(video='videos'), ann_file='annotations/trainlist01.txt'
)
held_out = dict(data_root=data_root, layout='ucf101', data_prefix=dict(video='videos'), ann_file='annotations/testlist01.txt')
train_dataloader = dict(dataset=dict(**train_annotation, pipeline=_base_.views_224_train))
val_dataloader = dict(dataset=dict(**held_out, pipeline=_base_.views_224_val))
test_dataloader = dict(dataset=dict(**held_out, pipeline=_base_.views_224_test))
