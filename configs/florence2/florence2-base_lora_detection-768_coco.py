# Florence-2 base fine-tuned for detection on COCO with little memory: adapters of rank 8 (LoRA, arXiv 2106.09685) in the language
# model and in the vision tower, which detection needs (arXiv 2311.06242: frozen 6.9 AP, trained 19.7). 3.2 of 231.4 M
# weights learn. Hyper-parameters are the field's. One epoch and a quarter.
#   python tools/train.py configs/florence2/florence2-base_lora_detection-768_coco.py --load-from florence2-base.pth
#   python tools/model_converters/merge_lora.py configs/florence2/florence2-base_lora_detection-768_coco.py \
#       work_dirs/florence2-base_lora_detection-768_coco/iter_18480.pth merged.pth
# Hardware: 1 GPU. Not run here.
_base_ = ['./florence2-base_detection-768_coco.py']
model = dict(lora=dict(rank=8, alpha=16, drop_rate=0.05, vision=True))
optim_wrapper = dict(optimizer=dict(lr=1e-4))
