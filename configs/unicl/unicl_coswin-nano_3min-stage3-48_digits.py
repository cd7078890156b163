# Last phase on digit scenes: fewer iterations on larger images (arXiv 2111.11432, section 2.2), 48 px with windows of 12. Starts
# from the latest checkpoint of stage 2, whose position bias tables are resized. The three phases one after another, again after a
# kill:
#   FLORENCE_RANKS=2 bash tools/train_phases.sh configs/unicl/unicl_coswin-nano_10min_digits.py \
#       configs/unicl/unicl_coswin-nano_5min-stage2_digits.py configs/unicl/unicl_coswin-nano_3min-stage3-48_digits.py
# Hardware: two CPU cores, about three minutes.
_base_ = './unicl_coswin-nano_5min-stage2_digits.py'
load_from = 'work_dirs/unicl_coswin-nano_5min-stage2_digits'
image_size = 48
max_iters = 200
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
model = dict(image_tower=dict(window_size=12))
recipe = dict(image_size=image_size)
train_dataloader = dict(dataset=dict(seed=2, recipe=recipe))
val_dataloader = dict(
    digits=dict(dataset=dict(image_size=image_size)),
    colors=dict(dataset=dict(image_size=image_size)),
    unseen_pairs=dict(dataset=dict(image_size=image_size)),
    retrieval=dict(dataset=dict(recipe=recipe)),
)
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=1e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=20, end=max_iters, eta_min=1e-6),
]
