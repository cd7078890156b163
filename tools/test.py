"""Evaluate a checkpoint: `python tools/test.py CONFIG CHECKPOINT [--out FILE] [--tta] [--cfg-options ...]`."""

import argparse
import sys
from pathlib import Path

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2 for current versions)
from mmengine.dist import is_main_process

from florence.atomic_files import write_json
from florence.engine.config_files import load_config
from florence.engine.launch import (
    add_common_arguments, build_runner, default_work_dir, end_rank, prepare_distributed, use_test_time_augmentation,
)  # fmt: skip
from florence.user_errors import ending_in_words


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Evaluate a checkpoint on the test data of a config.')
    parser.add_argument('config', help='config file, or mmdet::NAME.py for one that a package ships')
    parser.add_argument('checkpoint', help='weights to evaluate')
    parser.add_argument('--out', metavar='FILE', help='write the figures as one JSON object')
    parser.add_argument('--tta', action='store_true', help='average over the views of the config: its tta_model and tta_pipeline')
    add_common_arguments(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    try:
        cfg = load_config(args.config, args.cfg_options)
        if '://' not in args.checkpoint and not Path(args.checkpoint).exists():
            raise FileNotFoundError(f'no checkpoint {args.checkpoint!r}: check the path.')
        if args.tta:
            use_test_time_augmentation(cfg)
    except (FileNotFoundError, KeyError, ValueError) as error:
        sys.exit(f'error: {error.args[0]}')
    prepare_distributed(cfg, args.launcher)
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or default_work_dir(args.config)
    cfg.load_from = args.checkpoint
    # All weights are the checkpoint's: what a training started from need not be here.
    cfg.init_weights_for_test_or_val = False
    with ending_in_words():
        metrics = build_runner(cfg).test()
    if args.out and is_main_process():
        write_json(args.out, metrics)
    end_rank()


if __name__ == '__main__':
    main()
