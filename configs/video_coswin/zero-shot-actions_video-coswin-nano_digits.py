# Zero-shot classification of actions on digit clips: the model that retrieval-tube_video-coswin-nano_digits.py trained on
# captions chooses among ten names of actions, each in sentences about every digit.
#   python tools/test.py configs/video_coswin/zero-shot-actions_video-coswin-nano_digits.py \
#       work_dirs/retrieval-tube_video-coswin-nano_digits/iter_600.pth
# Hardware: two CPU cores, seconds. Expected figures on held-out scans: metafile.yml.
_base_ = 'retrieval-tube_video-coswin-nano_digits.py'
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='DigitClipActions',
        num_clips=1000,
        split='test',
        recipe=_base_.recipe,
        pipeline=[dict(type='PackVideoText')],
    ),
)
val_evaluator = dict(_delete_=True, type='ZeroShotAccuracy', topk=(1, 5))
test_dataloader = val_dataloader
test_evaluator = val_evaluator
