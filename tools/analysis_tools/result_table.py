"""One table of several evaluations: `python tools/analysis_tools/result_table.py RUN/metrics.json... --metrics NAME...`.

The files are those that `tools/test.py --out` writes. Rows are named by the folders of the files.
"""

import argparse
import sys
from pathlib import Path

from florence.tasks.json_files import read_json_object


def read_figures(path: Path, metrics: list[str]) -> list[float]:
    """The figures that are asked for.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a JSON object or lacks a figure.
    """
    if not path.exists():
        raise FileNotFoundError(f'no file {path}: evaluate first, tools/test.py CONFIG CHECKPOINT --out {path}.')
    figures = read_json_object(path)
    missing = [name for name in metrics if name not in figures]
    if missing:
        raise ValueError(f'{path} has no {missing[0]!r}, it has {", ".join(sorted(figures))}.')
    return [figures[name] for name in metrics]


def markdown(rows: dict[str, list[float]], metrics: list[str]) -> str:
    """A table in Markdown, figures with one decimal."""
    lines = [['run', *metrics], ['---'] * (len(metrics) + 1)]
    lines += [[name, *(f'{figure:.1f}' for figure in figures)] for name, figures in rows.items()]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines) + '\n'


def main() -> None:
    parser = argparse.ArgumentParser(description='One table of several evaluations.')
    parser.add_argument('files', nargs='+', type=Path, help='files of tools/test.py --out')
    parser.add_argument('--metrics', nargs='+', required=True, metavar='NAME', help='columns')
    args = parser.parse_args()
    try:
        rows = {path.resolve().parent.name: read_figures(path, args.metrics) for path in args.files}
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(markdown(rows, args.metrics), end='')


if __name__ == '__main__':
    main()
