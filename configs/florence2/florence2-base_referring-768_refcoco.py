# Florence-2 base fine-tuned on RefCOCO, boxes and masks at once (arXiv 2311.06242: REC 92.6, 94.8, 91.5 on val, testA and
# testB, RES 78.0 mIoU on val, as a generalist on the sets of all three; REC 53.9, 58.4, 49.7, RES 34.6 without). COCO's
# train2014, where all images are from, has the photographs of COCO's val2017: do not judge detection after it.
#   bash tools/dist_train.sh configs/florence2/florence2-base_referring-768_refcoco.py 8 --load-from florence2-base.pth
# Hardware: 8 GPUs. Not run here.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/florence2-base.py',
    '../_base_/datasets/refcoco_florence2.py',
    '../_base_/schedules/florence2_finetune_5k.py',
]
