# Video CoSwin-T on HMDB51, first split, fine-tuned for 30 epochs from the Kinetics-400 checkpoint, the usual order; three splits
# are averaged in published tables. Not run here.
#   bash tools/dist_train.sh configs/video_coswin/video-coswin-t_30e-224_hmdb51.py 8
_base_ = [
    '../_base_/action_runtime.py',
    '../_base_/models/recognizer3d_video-coswin-t.py',
    '../_base_/datasets/hmdb51.py',
    '../_base_/schedules/action_30e.py',
]
load_from = 'work_dirs/video-coswin-t_30e-224_k400/epoch_30.pth'
model = dict(backbone=dict(drop_path_rate=0.2), cls_head=dict(num_classes=51, label_smooth_eps=0.1))
optim_wrapper = dict(optimizer=dict(lr=1e-4))
