"""The paper's zero-shot table from results of `tools/test.py --out`.

    python tools/leaderboards/zero_shot_table.py write OUT_DIR RESULTS.json [imagenet=OTHER.json ...]
    python tools/leaderboards/zero_shot_table.py check OUT_DIR/zero_shot.json

A plain file holds metrics named `imagenet/top1`; `NAME=FILE` takes those of a file without data set names as NAME's.
"""

import argparse
import json
import sys
from pathlib import Path

from florence.evaluation.leaderboards import check_zero_shot_table, split_by_dataset, write_zero_shot_table
from florence.evaluation.leaderboards.zero_shot_table import to_markdown


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Write or check the zero-shot table.')
    commands = parser.add_subparsers(dest='command', required=True)
    write = commands.add_parser('write', help='write zero_shot.json and zero_shot.md')
    write.add_argument('out_dir', help='folder to write to')
    write.add_argument('results', nargs='+', metavar='[NAME=]FILE', help='metrics as JSON')
    check = commands.add_parser('check', help='check a zero_shot.json; exit status 1 if it is wrong')
    check.add_argument('table', help='file to check')
    return parser.parse_args()


def read_results(arguments: list[str]) -> dict[str, dict[str, float]]:
    """Metrics of all files by data set.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is no JSON object, or a metric is given twice.
    """
    results: dict[str, dict[str, float]] = {}
    for argument in arguments:
        dataset, equals, file = argument.rpartition('=')
        try:
            metrics = json.loads(Path(file).read_text())
        except json.JSONDecodeError as error:
            raise ValueError(f'{file} is no JSON: {error}.') from None
        if not isinstance(metrics, dict):
            raise ValueError(f'{file} holds {type(metrics).__name__}, expected an object of metrics.')
        for name, own in ({dataset: metrics} if equals else split_by_dataset(metrics)).items():
            twice = sorted(set(own) & set(results.get(name, {})))
            if twice:
                raise ValueError(f'{file} gives {name}/{twice[0]} again: give each result once.')
            results.setdefault(name, {}).update(own)
    return results


def main() -> None:
    args = parse_args()
    try:
        if args.command == 'check':
            problems = check_zero_shot_table(args.table)
            sys.exit('\n'.join(problems) if problems else 0)
        print(to_markdown(write_zero_shot_table(read_results(args.results), args.out_dir)))
    except (FileNotFoundError, KeyError, ValueError) as error:
        sys.exit(f'error: {error if isinstance(error, FileNotFoundError) else error.args[0]}')


if __name__ == '__main__':
    main()
