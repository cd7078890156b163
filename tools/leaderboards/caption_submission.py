"""Pack and check captions for COCO's server and for NoCaps, and score them where there are references.

    python tools/leaderboards/caption_submission.py coco VAL.json TEST.json --split val2014 test2014 \\
        --images captions_val2014.json image_info_test2014.json --algorithm meter --out DIR
    python tools/leaderboards/caption_submission.py nocaps RESULTS.json --images nocaps_test_image_info.json --split test \\
        --algorithm meter --out DIR
    python tools/leaderboards/caption_submission.py nocaps RESULTS.json --images nocaps_val_4500_captions.json --split val \\
        --algorithm meter --out DIR --score --json scores.json
    python tools/leaderboards/caption_submission.py check FILE.zip --images image_info_test2014.json

Results come from `CaptionScores` with `outfile=...`, and `format_only=True` where there are no references.
"""

import argparse
import sys
from pathlib import Path

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2 for current versions)

from florence.atomic_files import write_json
from florence.evaluation.leaderboards.caption_submission import (
    count_empty,
    read_captions,
    read_image_ids,
    read_references,
    score_captions,
    submission_captions,
    write_coco_captions,
    write_nocaps_captions,
)
from florence.user_errors import USER_ERRORS, in_words


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Pack or check captions for COCO or NoCaps.')
    commands = parser.add_subparsers(dest='command', required=True)
    coco = commands.add_parser('coco', help='check the captions of one split or of several, write the zip')
    nocaps = commands.add_parser('nocaps', help='check the captions, write the file')
    check = commands.add_parser('check', help='say what is wrong with a file; exit status 1 if anything is')
    for command, count in ((coco, '+'), (nocaps, 1), (check, 1)):
        command.add_argument('results', nargs=count, help='JSON list of image_id and caption, or a zip of it')
        command.add_argument('--images', nargs=count, required=True, help='COCO-format file, or list of ids, of each split')
        command.add_argument('--json', type=Path, metavar='FILE', help='write what was found here, too')
    for command, count in ((coco, '+'), (nocaps, 1)):
        command.add_argument('--split', nargs=count, required=True, help='name of each split, such as test2014')
        command.add_argument('--algorithm', required=True, help='name of the method: letters, digits, dots, hyphens')
        command.add_argument('--out', required=True, metavar='DIR', help='folder to write to')
    nocaps.add_argument('--score', action='store_true', help='--images has references: score all, and each domain alone')
    nocaps.add_argument('--metrics', nargs='+', default=['bleu', 'rouge_l', 'cider'], help='for --score')
    return parser.parse_args()


def read_split(results: str, images: str) -> tuple[list[dict], dict[str, int]]:
    """The captions of a split in its order, and how many there are and how many are empty, said aloud."""
    captions = submission_captions(read_captions(results), read_image_ids(images))
    counts = {'images': len(captions), 'empty': count_empty(captions)}
    print(f'{results}: a caption for each of {counts["images"]} images, {counts["empty"]} of them empty.')
    return captions, counts


def run(args: argparse.Namespace) -> dict:
    """Carry out one command; what was found."""
    splits = args.split if args.command != 'check' else ['']
    if not len(args.results) == len(args.images) == len(set(splits)):
        raise ValueError(
            f'got {len(args.results)} results, {len(args.images)} files of images and {len(set(splits))} different splits: give '
            'one of each for every split, in one order.'
        )
    if args.command == 'check':
        captions, counts = read_split(args.results[0], args.images[0])
        return counts
    read = {split: read_split(*files) for split, *files in zip(splits, args.results, args.images)}
    report: dict = {'splits': {split: counts for split, (_, counts) in read.items()}}
    if args.command == 'coco':
        path = write_coco_captions(args.out, args.algorithm, {split: captions for split, (captions, _) in read.items()})
    else:
        captions = read[splits[0]][0]
        if args.score:
            scores = score_captions(captions, *read_references(args.images[0]), metrics=args.metrics)
            report['scores'] = {
                group: {'images': len(next(iter(scoring.per_image.values())))}
                | {name: round(100 * score, 4) for name, score in scoring.corpus.items()}
                for group, scoring in scores.items()
            }
            for group, figures in report['scores'].items():
                print(f'{group}: ' + ', '.join(f'{name} {figure}' for name, figure in figures.items()))
        path = write_nocaps_captions(args.out, splits[0], args.algorithm, captions)
    print(f'wrote {path}.')
    return report | {'file': str(path)}


def main() -> None:
    args = parse_args()
    try:
        report = run(args)
    except USER_ERRORS as error:
        sys.exit(in_words(error))
    if args.json:
        write_json(args.json, report)


if __name__ == '__main__':
    main()
