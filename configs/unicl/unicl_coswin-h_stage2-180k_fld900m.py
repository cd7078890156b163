# Florence stage 2 (arXiv 2111.11432, section 2.2): 180,000 further iterations without the templated short texts, which hurt
# retrieval and vision-language tasks. Starts from the latest checkpoint of stage 1; --load-from names another.
#   bash tools/dist_train.sh configs/unicl/unicl_coswin-h_stage2-180k_fld900m.py 8   (on each of 64 machines of 8 GPUs)
# All three phases one after another: tools/train_phases.sh.
_base_ = './unicl_coswin-h_stage1-1m_fld900m.py'
load_from = 'work_dirs/unicl_coswin-h_stage1-1m_fld900m'
max_iters = 180_000
train_cfg = dict(max_iters=max_iters)
train_dataloader = dict(dataset=dict(drop_short_texts=2))
optim_wrapper = dict(optimizer=dict(lr=1e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=1000),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=1000, end=max_iters, eta_min=1e-6),
]
