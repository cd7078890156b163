# Zero-shot classification of actions on UCF101: Florence's image-text model with an image tower that sees time chooses among
# class names in sentences; 32 frames at every second one, 4 x 3 views. The paper gives no figure; X-CLIP B/16 (arXiv 2208.02816)
# has 72.0 %. Not run here.
#   python tools/test.py configs/video_coswin/zero-shot-actions_video-coswin-h-384_ucf101.py STAGE3.pth
_base_ = 'zero-shot-actions_video-coswin-h-384_k600.py'
templates = 'ucf101'
test_pipeline = [*_base_.test_pipeline[:-1], dict(type='PackVideoText', templates=templates)]
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ActionClips',
        ann_file='annotations/testlist01.txt',
        layout='ucf101',
        data_root='data/ucf101/',
        data_prefix=dict(video='videos'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
