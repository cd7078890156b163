# Kinetics-400 in the layout of mmaction2: lists "path label" beside the folders of the videos.
_base_ = ['./action_loaders.py', './action_views_224.py']
data_root = 'data/kinetics400/'
train_annotation = dict(
    data_root=data_root, num_classes=400, ann_file='kinetics400_train_list_videos.txt', data_prefix=dict(video='videos_train')
)
held_out = dict(
    data_root=data_root, num_classes=400, ann_file='kinetics400_val_list_videos.txt', data_prefix=dict(video='videos_val')
)
train_dataloader = dict(dataset=dict(**train_annotation, pipeline=_base_.views_224_train))
val_dataloader = dict(dataset=dict(**held_out, pipeline=_base_.views_224_val))
test_dataloader = dict(dataset=dict(**held_out, pipeline=_base_.views_224_test))
