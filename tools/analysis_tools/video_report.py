"""Report on a video model: `python tools/analysis_tools/video_report.py CONFIG CHECKPOINT --out DIR`.

DIR/index.html shows the figures of the config's test or val set. Of actions: film strips of right and wrong guesses with the most
probable classes, accuracy by class, what is taken for what. Of text-video retrieval: what texts find among the videos, and videos
among the texts. DIR/report.json holds the numbers.
"""

import argparse
import sys
from pathlib import Path

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2 for current versions)

from florence.apis.video_report import make_video_report
from florence.engine.cfg_options import add_cfg_options
from florence.engine.config_files import load_config
from florence.user_errors import USER_ERRORS, in_words


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Report on a video model: figures, film strips, a retrieval gallery.')
    parser.add_argument('config', help='config of a recogniser or of text-video retrieval')
    parser.add_argument('checkpoint', help='weights')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder to write to')
    parser.add_argument('--split', default='test', choices=('val', 'test'), help='set to report on')
    parser.add_argument('--device', default='cpu', help='where the model runs')
    parser.add_argument('--examples', type=int, default=8, help='examples of each kind')
    add_cfg_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    try:
        report = make_video_report(
            load_config(args.config, args.cfg_options), args.checkpoint, args.out, split=args.split, device=args.device,
            num_examples=args.examples,
        )  # fmt: skip
    except USER_ERRORS as error:
        sys.exit(in_words(error))
    print(', '.join(f'{name} {value:.2f}' for name, value in report['figures'].items()))
    print(f'written: {Path(args.out, "index.html")}')


if __name__ == '__main__':
    main()
