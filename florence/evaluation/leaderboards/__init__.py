"""Writers and checkers of result tables and submission files."""

from florence.evaluation.leaderboards.coco_submission import (
    MAX_PER_IMAGE,
    keep_best,
    merge_shards,
    read_boxes,
    read_results,
    result_records,
    submission_name,
    write_predictions,
    write_results,
    write_zip,
)
from florence.evaluation.leaderboards.coco_submission_check import check_detections
from florence.evaluation.leaderboards.zero_shot_table import (
    check_zero_shot_table,
    split_by_dataset,
    write_zero_shot_table,
    zero_shot_table,
)

__all__ = [
    'MAX_PER_IMAGE',
    'check_detections',
    'check_zero_shot_table',
    'keep_best',
    'merge_shards',
    'read_boxes',
    'read_results',
    'result_records',
    'split_by_dataset',
    'submission_name',
    'write_predictions',
    'write_results',
    'write_zero_shot_table',
    'write_zip',
    'zero_shot_table',
]
