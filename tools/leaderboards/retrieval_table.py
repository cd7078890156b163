"""Tables of image-text and text-video retrieval from results of `tools/test.py --out`, beside published figures.

    python tools/leaderboards/retrieval_table.py write OUT_DIR coco=COCO.json flickr30k=FLICKR30K.json \
        msrvtt=MSRVTT.json [--model NAME]
    python tools/leaderboards/retrieval_table.py check OUT_DIR/retrieval.json

COCO's 1K figures are in the results of a metric with `fold_size=1000`.
"""

import argparse
import sys

from florence.evaluation.leaderboards.retrieval_table import check_retrieval_table, to_markdown, write_retrieval_table
from florence.tasks.json_files import read_json_object
from florence.user_errors import USER_ERRORS, in_words


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Write or check the tables of retrieval.')
    commands = parser.add_subparsers(dest='command', required=True)
    write = commands.add_parser('write', help='write retrieval.json and retrieval.md')
    write.add_argument('out_dir', help='folder to write to')
    write.add_argument('results', nargs='+', metavar='NAME=FILE', help='metrics of coco, flickr30k or msrvtt as JSON')
    write.add_argument('--model', default='ours', help='what the own rows are called')
    check = commands.add_parser('check', help='check a retrieval.json; exit status 1 if it is wrong')
    check.add_argument('table', help='file to check')
    return parser.parse_args()


def read_results(arguments: list[str]) -> dict[str, dict[str, float]]:
    """Metrics by data set.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If an argument names no data set or one twice, or a file is no JSON object.
    """
    results: dict[str, dict[str, float]] = {}
    for argument in arguments:
        dataset, equals, file = argument.partition('=')
        if not equals or dataset in results:
            raise ValueError(f'{argument!r}: give each data set once, as coco=FILE, flickr30k=FILE or msrvtt=FILE.')
        results[dataset] = read_json_object(file)
    return results


def main() -> None:
    args = parse_args()
    try:
        if args.command == 'check':
            problems = check_retrieval_table(args.table)
            sys.exit('\n'.join(problems) if problems else 0)
        print(to_markdown(write_retrieval_table(read_results(args.results), args.out_dir, args.model)))
    except USER_ERRORS as error:
        sys.exit(in_words(error))


if __name__ == '__main__':
    main()
