# Florence's vision-language pretraining (arXiv 2111.11432, sections 2.5 and 3.7): 43 epochs over 14 M images at 384 px; then
# VQAv2 gives 80.36. The paper gives no batch, learning rate or schedule: METER's (arXiv 2111.02387). Not run here.
#   bash tools/dist_train.sh configs/meter/meter-coswin-h_pretrain-43e-384_14m.py 8   (on each of 16 machines of 8 GPUs)
# On fewer devices add optim_wrapper.accumulative_counts=N and N times max_iters: the schedule counts batches.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/meter_coswin-h.py',
    '../_base_/datasets/meter_pretraining_14m.py',
    '../_base_/schedules/meter_finetune.py',
    '../_base_/strategies/florence_paper.py',
]
num_images = 14_000_000
num_epochs = 43
batch_size = 4096  # 128 ranks x 32
max_iters = num_epochs * num_images // batch_size
warmup_iters = max_iters // 10
unicl_checkpoint = 'checkpoints/unicl_coswin-h_stage3-80k-384_fld900m.pth'
model = dict(
    encoder=dict(
        image_tower=dict(init_cfg=dict(type='Pretrained', checkpoint=unicl_checkpoint, prefix='image_tower')),
        text_tower=dict(pretrained='roberta-base'),
    ),
    head=dict(type='PretrainHead', vocab_size=50265),
)
train_cfg = dict(max_iters=max_iters, val_interval=max_iters // num_epochs)
optim_wrapper = dict(optimizer=dict(lr=1e-5))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='PolyLR', power=1.0, by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
