"""Train a model: `python tools/train.py CONFIG [--work-dir D] [--resume [PATH]] [--load-from CKPT] [--amp] ...`."""

import argparse
import sys
from pathlib import Path

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2 for current versions)
from florence.engine.config_files import load_config
from florence.engine.launch import (
    add_common_arguments, build_runner, default_work_dir, end_rank, prepare_distributed, use_amp, use_checkpoint,
)  # fmt: skip
from florence.user_errors import ending_in_words


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a model from a config.')
    parser.add_argument('config', help='config file, or mmdet::NAME.py for one that a package ships')
    parser.add_argument(
        '--resume', nargs='?', const='auto', metavar='CKPT',
        help='continue a run: from a checkpoint, or without a value from the latest one of the work dir, if there is one yet',
    )  # fmt: skip
    parser.add_argument('--load-from', metavar='CKPT', help='start from the weights of a checkpoint')
    parser.add_argument(
        '--amp',
        nargs='?',
        const='auto',
        choices=('auto', 'bfloat16', 'float16'),
        help='mixed precision; auto, the default: as the config says, else bfloat16',
    )
    add_common_arguments(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    try:
        cfg = load_config(args.config, args.cfg_options)
        if args.amp is not None:
            use_amp(cfg, None if args.amp == 'auto' else args.amp)
        for checkpoint in (args.load_from, args.resume if args.resume != 'auto' else None):
            if checkpoint and '://' not in checkpoint and not Path(checkpoint).exists():
                raise FileNotFoundError(f'no checkpoint {checkpoint!r}: check the path.')
        cfg.work_dir = args.work_dir or cfg.get('work_dir') or default_work_dir(args.config)
        use_checkpoint(cfg, args.resume, args.load_from)
    except (FileNotFoundError, KeyError, ValueError) as error:
        sys.exit(f'error: {error.args[0]}')
    prepare_distributed(cfg, args.launcher)
    with ending_in_words():
        build_runner(cfg).train()
    end_rank()


if __name__ == '__main__':
    main()
