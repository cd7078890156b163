# METER's fine-tuning for retrieval on COCO's Karpathy splits (arXiv 2111.02387, section 4.1) with Florence's towers: 10 epochs at
# 5e-6, batch 512, the right one among 15 false ones. The two towers of the UniCL fine-tuning find the false ones, and in the
# evaluation the 128 candidates of each query; `--cfg-options test_cfg.top_k=None` ranks every pair. Not run here.
#   bash tools/dist_train.sh configs/meter/meter-coswin-h_ranking-10e-384_coco.py 16
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/meter-ranking_coswin-h.py',
    '../_base_/datasets/coco_captions_384.py',
    '../_base_/schedules/meter_finetune.py',
    '../_base_/strategies/florence_paper.py',
]
load_from = 'checkpoints/meter-coswin-h_pretrain-43e-384_14m.pth'
two_tower_checkpoint = 'checkpoints/unicl_coswin-h_finetune-12e-384_coco-retrieval.pth'
max_iters = 11070  # 10 epochs of 566,747 captions in batches of 16 x 32
warmup_iters = max_iters // 10
model = dict(head=dict(two_tower=dict(init_cfg=dict(type='Pretrained', checkpoint=two_tower_checkpoint))))
val_evaluator = dict(_delete_=True, type='FusedRetrieval', fold_size=1000)
val_cfg = dict(type='FusedRetrievalValLoop', top_k=128)
test_evaluator = dict(_delete_=True, type='FusedRetrieval', fold_size=1000)
test_cfg = dict(type='FusedRetrievalTestLoop', top_k=128)
train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 10)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='PolyLR', power=1.0, by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
