"""Writers and checkers of result tables and submission files."""

from florence.evaluation.leaderboards.zero_shot_table import (
    check_zero_shot_table,
    split_by_dataset,
    write_zero_shot_table,
    zero_shot_table,
)

__all__ = ['check_zero_shot_table', 'split_by_dataset', 'write_zero_shot_table', 'zero_shot_table']
