# Florence-2 base fine-tuned for phrase grounding on Flickr30k Entities (arXiv 2311.06242: 84.0 R@1 on test as a generalist, 83.6
# without; its protocol is not told, ours reports any box and merged boxes).
#   bash tools/dist_train.sh configs/florence2/florence2-base_grounding-768_flickr30k.py 8 --load-from florence2-base.pth
# Hardware: 8 GPUs. Not run here.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/florence2-base.py',
    '../_base_/datasets/flickr30k_florence2.py',
    '../_base_/schedules/florence2_finetune_5k.py',
]
