# METER's pretraining (arXiv 2111.02387, section 4.1): 100,000 steps of 4,096 pairs at 384 px on COCO, Visual Genome, SBU and CC3M
# (4 M images), with CoSwin-B in place of Swin-B. Not run here; METER's took 8 days on 8 A100.
#   bash tools/dist_train.sh configs/meter/meter-coswin-b_pretrain-100k-384_4m.py 8   (on each of 16 machines of 8 GPUs)
_base_ = './meter-coswin-h_pretrain-43e-384_14m.py'
max_iters = 100_000
warmup_iters = max_iters // 10
unicl_checkpoint = 'checkpoints/unicl_coswin-b_stage1-1m_fld900m.pth'
model = dict(encoder=dict(image_tower=dict(arch='base', init_cfg=dict(checkpoint=unicl_checkpoint))))
train_dataloader = dict(
    dataset=dict(
        datasets=[
            {{_base_.coco}},
            {{_base_.coco_restval}},
            {{_base_.visual_genome}},
            {{_base_.sbu}},
            {{_base_.cc3m}},
        ]
    )
)
train_cfg = dict(max_iters=max_iters, val_interval=2000)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='PolyLR', power=1.0, by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
