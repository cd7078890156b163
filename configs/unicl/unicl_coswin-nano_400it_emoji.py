# Nano two-tower on real image-text pairs: emoji pictures and their names (a JSON file of records with `image` and `name`).
#   python tools/train.py configs/unicl/unicl_coswin-nano_400it_emoji.py \
#       --cfg-options train_dataloader.dataset.data_root=FOLDER val_dataloader.dataset.data_root=FOLDER
# Hardware: one CPU core, four minutes. benchmarks/nano_vs_open_clip_retrieval.py compares it with open_clip on the same
# images.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/two_tower_coswin-nano.py',
    '../_base_/datasets/record_pairs_64.py',
    '../_base_/schedules/adamw_cosine.py',
]
model = dict(text_tower=dict(vocab_size=1024), tokenizer=dict(vocab_size=1024))
columns = dict(image='image', text='name')
source = dict(data_root='data/emoji/', columns=columns)
train_dataloader = dict(dataset=source)
val_dataloader = dict(dataset=source)
test_dataloader = val_dataloader
max_iters = 400
train_cfg = dict(max_iters=max_iters, val_interval=100)
optim_wrapper = dict(optimizer=dict(lr=1e-3, weight_decay=0.2))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=40),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=40, end=max_iters, eta_min=0),
]
