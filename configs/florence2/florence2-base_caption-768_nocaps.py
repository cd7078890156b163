# A captioner of COCO judged on NoCaps (arXiv 1812.08658), which has nothing to train on (arXiv 2311.06242: 116.7 CIDEr on
# val as a generalist, 118.7 without). Nearer and farther domains on their own:
# tools/leaderboards/caption_submission.py nocaps work_dirs/nocaps_val.json --score.
#   bash tools/dist_test.sh configs/florence2/florence2-base_caption-768_nocaps.py florence2-base.pth 8
# Hardware: 8 GPUs. Not run here. The test split has images alone: nocaps_test_image_info.json, AskTask with unanswered=True, and
# test_evaluator with format_only=True.
_base_ = './florence2-base_caption-768_coco.py'
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CocoCaptions',
        ann_file='nocaps_val_4500_captions.json',
        data_root='data/nocaps/',
        data_prefix=dict(img_path='val'),
        test_mode=True,
        pipeline=_base_.val_dataloader.dataset.pipeline,
    )
)
test_evaluator = dict(outfile='work_dirs/nocaps_val.json')
