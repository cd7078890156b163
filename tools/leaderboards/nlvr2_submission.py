"""Pack, check and score judgements of NLVR2's sentences.

    python tools/leaderboards/nlvr2_submission.py pack OUT.csv RESULTS.json --ann-file test1.json
    python tools/leaderboards/nlvr2_submission.py check FILE.csv --ann-file test1.json
    python tools/leaderboards/nlvr2_submission.py score FILE.csv --ann-file dev.json

Results come from `LabelAccuracy` with `outfile=...`.
"""

import argparse
import json
import sys

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2 for current versions)

from florence.evaluation.leaderboards.nlvr2_submission import (
    check_predictions,
    read_labels,
    read_nlvr2,
    read_predictions_csv,
    score_predictions,
    write_predictions_csv,
)
from florence.user_errors import USER_ERRORS, in_words


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Pack, check or score judgements of NLVR2's sentences.")
    commands = parser.add_subparsers(dest='command', required=True)
    pack = commands.add_parser('pack', help='write the CSV')
    pack.add_argument('out', help='CSV to write')
    pack.add_argument('results', help='JSON list of sample_id and label')
    check = commands.add_parser('check', help='say what is wrong with a CSV; exit status 1 if anything is')
    check.add_argument('file')
    score = commands.add_parser('score', help='accuracy and consistency where labels exist')
    score.add_argument('file')
    for command in (pack, check, score):
        command.add_argument('--ann-file', required=True, help='official file of the split, one JSON object a line')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    """Carry out one command; ends with what is wrong, if anything is."""
    examples = read_nlvr2(args.ann_file)
    if args.command == 'pack':
        write_predictions_csv(args.out, read_labels(args.results), [example['identifier'] for example in examples])
        print(f'wrote {args.out}: {len(examples)} judgements.')
        return
    predictions = read_predictions_csv(args.file)
    if args.command == 'score':
        print(json.dumps(score_predictions(predictions, examples), indent=2))
        return
    problems = check_predictions(predictions, examples)
    if problems:
        sys.exit('\n'.join(problems))
    print(f'{args.file} is in order.')


def main() -> None:
    args = parse_args()
    try:
        run(args)
    except USER_ERRORS as error:
        sys.exit(in_words(error))


if __name__ == '__main__':
    main()
