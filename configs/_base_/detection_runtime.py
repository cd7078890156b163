# Runtime of detection: mmdet's names without prefix, progress counted in epochs.
_base_ = 'default_runtime.py'
default_scope = 'mmdet'
default_hooks = dict(
    logger=dict(log_metric_by_epoch=True),
    checkpoint=dict(by_epoch=True, interval=1, save_best='coco/bbox_mAP', rule='greater'),
    class_list=dict(type='florence.ClassListHook'),
)
log_processor = dict(by_epoch=True)
visualizer = dict(type='DetLocalVisualizer')
