"""Report on a detector: `python tools/analysis_tools/detection_report.py CONFIG DETECTIONS.json|CHECKPOINT --out DIR`.

DIR/index.html shows the figures, precision over recall, the kinds of errors of each class, and the worst and the best images with
truth and detections side by side; DIR/report.json holds the numbers.
"""

import argparse
import sys
from pathlib import Path

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2 for current versions)

from florence.apis.detection_report import make_detection_report
from florence.engine.cfg_options import add_cfg_options
from florence.engine.config_files import load_config
from florence.user_errors import USER_ERRORS, in_words


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Report on a detector: curves, errors, pictures.')
    parser.add_argument('config', help='detection config; its test set is reported on')
    parser.add_argument('predictions', help="detections in COCO's form (.json, .zip), or a checkpoint to run")
    parser.add_argument('--out', required=True, metavar='DIR', help='folder to write to')
    parser.add_argument('--images', type=int, default=12, help='pictures: half the worst, half the best')
    parser.add_argument('--score-threshold', type=float, help='least score of a detection; default: where F1 is highest')
    add_cfg_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    try:
        cfg = load_config(args.config, args.cfg_options)
        report = make_detection_report(
            cfg, args.predictions, args.out, num_images=args.images, score_threshold=args.score_threshold
        )
    except USER_ERRORS as error:
        sys.exit(in_words(error))
    print(f'AP {report["AP"]:.3f}, AP50 {report["AP50"]:.3f}; errors: {report["errors"]}')
    print(f'written: {Path(args.out, "index.html")}')


if __name__ == '__main__':
    main()
