# Zero-shot classification of actions on Kinetics-600: Florence's image-text model with an image tower that sees time chooses
# among class names in sentences; 32 frames at every second one, 4 x 3 views. The paper gives no figure; X-CLIP B/16 (arXiv
# 2208.02816) has 65.2 % on classes that Kinetics-400 lacks. The files are those of video-coswin-h_30e-384_k600.py, with the names
# of the classes beside them: mmaction2's label_map_k600.txt. Not run here.
#   python tools/test.py configs/video_coswin/zero-shot-actions_video-coswin-h-384_k600.py STAGE3.pth
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/video_two_tower_video-coswin-h.py',
]
default_scope = 'florence'
image_size = 384
templates = 'kinetics'
model = dict(image_tower=dict(window_size=12))
test_pipeline = [
    dict(type='OpenVideo'),
    dict(type='SampleClips', clip_len=32, frame_interval=2, num_clips=4, test_mode=True),
    dict(type='DecodeVideo'),
    dict(type='mmaction.Resize', scale=(-1, image_size)),
    dict(type='mmaction.ThreeCrop', crop_size=image_size),
    dict(type='PackVideoText', templates=templates),
]
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ActionClips',
        ann_file='kinetics600_val_list_videos.txt',
        classes='label_map_k600.txt',
        num_classes=600,
        data_root='data/kinetics600/',
        data_prefix=dict(video='videos_val'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_evaluator = dict(type='ZeroShotAccuracy', topk=(1, 5))
test_cfg = dict(type='TestLoop')
