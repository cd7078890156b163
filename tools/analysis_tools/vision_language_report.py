"""Report on a vision-language model: `python tools/analysis_tools/vision_language_report.py CONFIG CHECKPOINT --out DIR`.

DIR/index.html shows the figures of the config's test or val set and examples. Questions and sentences about images: right and
wrong answers, what is taken for what, what the words look at. Retrieval: what queries find and what they miss. Captioning:
captions with their references. DIR/report.json holds the numbers.
"""

import argparse
import sys
from pathlib import Path

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2 for current versions)

from florence.apis.vision_language_report import make_vision_language_report
from florence.engine.cfg_options import add_cfg_options
from florence.engine.config_files import load_config
from florence.user_errors import USER_ERRORS, in_words


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Report on a vision-language model: figures, examples, attention.')
    parser.add_argument('config', help='config of a METER model for VQA, sentences about images, retrieval or captioning')
    parser.add_argument('checkpoint', help='weights')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder to write to')
    parser.add_argument('--split', default='test', choices=('val', 'test'), help='set to report on')
    parser.add_argument('--device', default='cpu', help='where the model runs')
    parser.add_argument('--examples', type=int, default=12, help='examples of each kind')
    parser.add_argument('--attention', type=int, default=4, help='examples whose attention is drawn')
    add_cfg_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    try:
        report = make_vision_language_report(
            load_config(args.config, args.cfg_options), args.checkpoint, args.out, split=args.split,
            device=args.device, num_examples=args.examples, num_attention=args.attention,
        )  # fmt: skip
    except USER_ERRORS as error:
        sys.exit(in_words(error))
    print(', '.join(f'{name} {value:.2f}' for name, value in report['figures'].items()))
    print(f'written: {Path(args.out, "index.html")}')


if __name__ == '__main__':
    main()
