# Kinetics-600 in the layout of mmaction2: lists "path label" beside the folders of the videos.
_base_ = './k400.py'
data_root = 'data/kinetics600/'
held_out = dict(data_root=data_root, ann_file='kinetics600_val_list_videos.txt', num_classes=600)
train_dataloader = dict(
    dataset=dict(data_root=data_root, ann_file='kinetics600_train_list_videos.txt', num_classes=600),
)
val_dataloader = dict(dataset=held_out)
test_dataloader = dict(dataset=held_out)
