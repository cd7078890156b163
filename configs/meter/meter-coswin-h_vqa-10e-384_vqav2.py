# Florence fine-tuned on VQAv2 (arXiv 2111.11432, section 3.7 and table 8): 10 epochs at 8e-6; test-dev 80.16, test-std 80.36. The
# paper names neither size, batch nor augmentation: METER's batch of 512. Not run here.
#   bash tools/dist_train.sh configs/meter/meter-coswin-h_vqa-10e-384_vqav2.py 32
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/meter_coswin-h.py',
    '../_base_/datasets/vqa_v2.py',
    '../_base_/schedules/meter_finetune.py',
    '../_base_/strategies/florence_paper.py',
]
load_from = 'checkpoints/meter-coswin-h_pretrain-43e-384_14m.pth'
max_iters = 12750  # 10 epochs of about 652,700 questions in batches of 512
warmup_iters = max_iters // 10
model = dict(head=dict(type='VQAHead', answers={{_base_.answer_file}}))
train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 10)
optim_wrapper = dict(optimizer=dict(lr=8e-6), paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=50.0))))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='PolyLR', power=1.0, by_epoch=False, begin=warmup_iters, end=max_iters, eta_min=0),
]
