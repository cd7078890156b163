# Nano two-tower on real photographs with long texts: two photographs of each exercise, described by its instructions.
#   python tools/train.py configs/unicl/unicl_coswin-nano_100it_exercise.py
# Hardware: one CPU core, two minutes. benchmarks/nano_vs_open_clip_retrieval.py compares it with open_clip on the same images.
_base_ = './unicl_coswin-nano_400it_emoji.py'
columns = dict(image='images', text='instructions', sample_id='id', join_texts=True)
source = dict(data_root='data/exercise/', data_prefix=dict(img_path='images'), columns=columns, val_share=0.2)
train_dataloader = dict(dataset=source)
val_dataloader = dict(dataset=source)
test_dataloader = val_dataloader
max_iters = 100
optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_cfg = dict(max_iters=max_iters, val_interval=50)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=20, end=max_iters, eta_min=0),
]
