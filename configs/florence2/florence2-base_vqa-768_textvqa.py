# Florence-2 base fine-tuned on TextVQA (arXiv 2311.06242: 63.6 as a generalist).
#   bash tools/dist_train.sh configs/florence2/florence2-base_vqa-768_textvqa.py 8 --load-from florence2-base.pth
# Hardware: 8 GPUs. Not run here.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/florence2-base.py',
    '../_base_/datasets/textvqa_florence2.py',
    '../_base_/schedules/florence2_finetune_5k.py',
]
