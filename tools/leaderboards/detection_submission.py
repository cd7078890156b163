"""Pack and check submissions of detections for COCO, LVIS and Objects365.

    python tools/leaderboards/detection_submission.py pack OUT_DIR RESULTS.json [SHARD.json ...] \\
        --ann-file image_info_test-dev2017.json --leaderboard coco --split test-dev2017 --algorithm dyhead
    python tools/leaderboards/detection_submission.py check FILE.zip --ann-file image_info_test-dev2017.json

Results come from `CocoDetectionMetric` or `LVISDetectionMetric` with `format_only=True, outfile_prefix=...`.
"""

import argparse
import sys
from pathlib import Path

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2 for current versions)

from florence.evaluation.functional.coco_annotations import CocoAnnotations, load_annotation_file, to_arrays
from florence.evaluation.leaderboards import (
    MAX_PER_IMAGE,
    check_detections,
    keep_best,
    merge_shards,
    read_results,
    submission_name,
    write_zip,
)
from florence.user_errors import USER_ERRORS, in_words


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Pack or check a submission of detections.')
    commands = parser.add_subparsers(dest='command', required=True)
    pack = commands.add_parser('pack', help='join results of all processes, check them, write the zip')
    pack.add_argument('out_dir', help='folder to write to')
    pack.add_argument('results', nargs='+', help='JSON lists of detections')
    pack.add_argument('--split', required=True, help='such as test-dev2017')
    pack.add_argument('--algorithm', required=True, help='name of the method: letters, digits, dots, hyphens')
    pack.add_argument('--keep-best', action='store_true', help='leave out the lowest scores beyond the limit of an image')
    check = commands.add_parser('check', help='say what is wrong with a file; exit status 1 if anything is')
    check.add_argument('file', help='a .json or .zip')
    for command in (pack, check):
        command.add_argument('--ann-file', required=True, help='annotation file of the split; objects are not needed')
        command.add_argument('--leaderboard', choices=sorted(MAX_PER_IMAGE), default='coco')
    return parser.parse_args()


def pack(args: argparse.Namespace, annotations: CocoAnnotations) -> list[str]:
    """Write the zip and say where, or return what is wrong."""
    name = submission_name(args.split, args.algorithm)
    records, repeated = merge_shards(args.results)
    if repeated:
        print(f'{repeated} images were in several files with equal results and are taken once.')
    limit = MAX_PER_IMAGE[args.leaderboard]
    # What cannot be ranked is a problem, not something to leave out.
    problems = check_detections(records, annotations, len(records) if args.keep_best else limit)
    if not problems:
        if args.keep_best:
            records, dropped = keep_best(records, limit)
            print(f'left out {dropped} detections beyond {limit} per image.')
        path = write_zip(args.out_dir, name, records)
        images = len({record['image_id'] for record in records})
        print(f'wrote {path}: {len(records)} detections in {images} of {len(annotations.image_ids)} images.')
    return problems


def main() -> None:
    args = parse_args()
    try:
        content = load_annotation_file(args.ann_file)
        annotations = to_arrays({**content, 'annotations': []})
        if args.command == 'pack':
            problems = pack(args, annotations)
        else:
            problems = check_detections(read_results(Path(args.file)), annotations, MAX_PER_IMAGE[args.leaderboard])
    except USER_ERRORS as error:
        sys.exit(in_words(error))
    if problems:
        sys.exit('\n'.join(problems))
    if args.command == 'check':
        print(f'{args.file} is in order.')


if __name__ == '__main__':
    main()
