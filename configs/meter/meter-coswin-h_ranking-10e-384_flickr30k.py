# METER's fine-tuning for retrieval on Flickr30k (arXiv 2111.02387, section 4.1) with Florence's towers: as on COCO, and with the
# two towers that were fine-tuned there. METER's release also trains on the validation images; this one does not. Not run here.
#   bash tools/dist_train.sh configs/meter/meter-coswin-h_ranking-10e-384_flickr30k.py 8
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/meter-ranking_coswin-h.py',
    '../_base_/datasets/flickr30k_retrieval_384.py',
    '../_base_/schedules/meter_finetune.py',
    '../_base_/strategies/florence_paper.py',
]
load_from = 'checkpoints/meter-coswin-h_pretrain-43e-384_14m.pth'
two_tower_checkpoint = 'checkpoints/unicl_coswin-h_finetune-12e-384_coco-retrieval.pth'
max_iters = 2830  # 10 epochs of 145,000 captions in batches of 8 x 64
warmup_iters = max_iters // 10
model = dict(head=dict(two_tower=dict(init_cfg=dict(type='Pretrained', checkpoint=two_tower_checkpoint))))
val_evaluator = dict(type='FusedRetrieval')
val_cfg = dict(type='FusedRetrievalValLoop', top_k=128)
test_evaluator = val_evaluator
test_cfg = dict(type='FusedRetrievalTestLoop', top_k=128)
train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 10)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='PolyLR', power=1.0, by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
