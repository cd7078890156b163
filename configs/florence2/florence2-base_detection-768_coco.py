# Florence-2 base fine-tuned for detection on COCO (arXiv 2311.06242, table 7: 41.4 AP as a generalist). The released weights:
# tools/model_converters/florence2_to_florence.py.
#   bash tools/dist_train.sh configs/florence2/florence2-base_detection-768_coco.py 8 --load-from florence2-base.pth
# Hardware: 8 GPUs. Not run here.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/florence2-base.py',
    '../_base_/datasets/coco_florence2.py',
    '../_base_/schedules/florence2_finetune.py',
]
