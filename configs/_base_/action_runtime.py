# Runtime of action recognition: mmaction's names without prefix, progress counted in epochs. The checkpoint of the best top-1
# accuracy is kept.
_base_ = 'default_runtime.py'
default_scope = 'mmaction'
default_hooks = dict(
    logger=dict(log_metric_by_epoch=True),
    checkpoint=dict(by_epoch=True, interval=1, save_best='acc/top1', rule='greater'),
)
log_processor = dict(by_epoch=True)
