# Text-video retrieval on MSR-VTT by the mean of frame embeddings (CLIP4Clip, arXiv 2104.08860), with Florence's image tower.
# Not run here.
# Zero-shot:
#   python tools/test.py configs/video_coswin/retrieval-frames_coswin-h_5e-224_msrvtt.py STAGE3.pth --out msrvtt.json
# Fine-tuned:
#   bash tools/dist_train.sh configs/video_coswin/retrieval-frames_coswin-h_5e-224_msrvtt.py 8 --load-from STAGE3.pth
_base_ = ['./retrieval-tube_video-coswin-h_5e-224_msrvtt.py']
model = dict(mode='frames', image_tower=dict(_delete_=True, type='CoSwin', arch='huge'))
