"""What a zero-shot detector keeps of its proposals and of its detections, in mmdet's words: `rpn` and `rcnn`."""

from mmengine.config import ConfigDict

from florence.models.detectors.box_suppression import resolve_nms

PROPOSALS = dict(nms_pre=1000, min_bbox_size=0, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.9), max_per_img=300)
DETECTIONS: dict = dict(score_thr=0.001, nms=dict(type='nms', iou_threshold=0.5), max_per_img=100)


def head_settings(train_cfg: dict | None) -> dict | None:
    """The head's settings for training, `train_cfg.rpn`.

    Raises:
        ValueError: If `train_cfg` holds something else.
    """
    unknown = set(train_cfg or {}) - {'rpn'}
    if unknown:
        raise ValueError(f'ZeroShotDetector: train_cfg holds the settings of the head in rpn, got {", ".join(sorted(unknown))}.')
    return (train_cfg or {}).get('rpn')


def detection_settings(test_cfg: dict | None) -> tuple[ConfigDict, dict]:
    """Settings of the proposals, for the head, and of the result, for `best_pairs`; `PROPOSALS` and `DETECTIONS` fill the gaps.

    Raises:
        ValueError: If a setting is unknown or out of range.
    """
    given = dict(test_cfg or {})
    rcnn = {**DETECTIONS, **given.get('rcnn', {})}
    unknown = [f'test_cfg.{name}' for name in given if name not in ('rpn', 'rcnn')]
    unknown += [f'test_cfg.rcnn.{name}' for name in rcnn if name not in DETECTIONS]
    if unknown:
        raise ValueError(f'ZeroShotDetector: no {", ".join(unknown)}; there are rpn and rcnn, in rcnn {", ".join(DETECTIONS)}.')
    if rcnn['max_per_img'] < 1:
        raise ValueError(f'ZeroShotDetector: test_cfg.rcnn.max_per_img must be at least 1, got {rcnn["max_per_img"]}.')
    return ConfigDict({**PROPOSALS, **given.get('rpn', {})}), {**rcnn, 'nms': resolve_nms(rcnn['nms'])}
