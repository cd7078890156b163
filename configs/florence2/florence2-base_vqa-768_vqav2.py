# Florence-2 base fine-tuned on VQAv2 (arXiv 2311.06242: 79.7 on test-dev as a generalist).
#   bash tools/dist_train.sh configs/florence2/florence2-base_vqa-768_vqav2.py 8 --load-from florence2-base.pth
# Hardware: 8 GPUs. Not run here.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/florence2-base.py',
    '../_base_/datasets/vqa_v2_florence2.py',
    '../_base_/schedules/florence2_finetune.py',
]
