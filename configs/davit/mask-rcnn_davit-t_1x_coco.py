# DaViT-T of ImageNet in mmdet's Mask R-CNN, COCO, 12 epochs. Published: 45.0 box AP, 41.1 mask AP.
#   python tools/model_converters/davit_to_florence.py davit_tiny.pth work_dirs/davit-t_imagenet.pth
#   bash tools/dist_train.sh configs/davit/mask-rcnn_davit-t_1x_coco.py 8
_base_ = [
    '../_base_/detection_runtime.py',
    '../_base_/models/mask-rcnn_davit-t.py',
    '../_base_/datasets/coco_instance_detr.py',
    '../_base_/schedules/detection_12e.py',
]
