# Text-video retrieval on digit clips by the mean of frames (CLIP4Clip, arXiv 2104.08860), which cannot know their order: what
# tubes are compared with.
#   bash tools/dist_train.sh configs/video_coswin/retrieval-frames_coswin-nano_digits.py 2
# Zero-shot, without training:
#   python tools/test.py configs/video_coswin/retrieval-frames_coswin-nano_digits.py work_dirs/quickstart/iter_1800.pth
# Hardware: two CPU cores. Expected figures on held-out scans: metafile.yml.
_base_ = ['./retrieval-tube_video-coswin-nano_digits.py']
model = dict(mode='frames', image_tower=dict(_delete_=True, type='CoSwin', arch='nano'))
