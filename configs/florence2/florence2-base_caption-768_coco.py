# Florence-2 base fine-tuned for captioning on COCO (arXiv 2311.06242: 140.0 CIDEr as a generalist, 133.0 without).
#   bash tools/dist_train.sh configs/florence2/florence2-base_caption-768_coco.py 8 --load-from florence2-base.pth
# Hardware: 8 GPUs. Not run here.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/florence2-base.py',
    '../_base_/datasets/coco_captions_florence2.py',
    '../_base_/schedules/florence2_finetune.py',
]
