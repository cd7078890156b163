"""Picture of a training run: `python tools/analysis_tools/plot_loss_curve.py WORK_DIR_OR_JSON OUT.png`."""

import argparse
import sys

from florence.visualization import draw_loss_curve, read_log_records


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw loss, validation metrics and learning rate of a run.')
    parser.add_argument('source', help='work directory of the run, or its vis_data/scalars.json')
    parser.add_argument('out', help='picture to write (.png, .pdf, .svg)')
    parser.add_argument('--metrics', nargs='+', metavar='NAME', help='metrics (default: top1, mAP, R@1)')
    parser.add_argument('--title', help='heading of the picture')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    try:
        draw_loss_curve(read_log_records(args.source), args.out, metrics=args.metrics, title=args.title)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
