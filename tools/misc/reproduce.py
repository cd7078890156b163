"""Train the embedded twins of a family and compare them with their stated figures: `python tools/misc/reproduce.py FAMILY|all`.

A twin is a model of `configs/FAMILY/metafile.yml` with a `Reproduce` entry: the number of ranks, the least value of
each metric and, with `Start`, other twins whose weights it starts from. Each is trained by `tools/dist_train.sh`, those that
others start from first, evaluated on held-out data by `tools/test.py`, and compared. Exit status 1 where a figure falls short.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import yaml

from florence.atomic_files import write_json

ROOT = Path(__file__).resolve().parents[2]


def twins(family: str) -> list[dict]:
    """Models with a `Reproduce` entry.

    Args:
        family: Folder below `configs/`, or 'all'.

    Raises:
        FileNotFoundError: If the family has no metafile.
    """
    pattern = '*' if family == 'all' else family
    files = sorted((ROOT / 'configs').glob(f'{pattern}/metafile.yml'))
    if not files:
        known = sorted(path.parent.name for path in (ROOT / 'configs').glob('*/metafile.yml'))
        raise FileNotFoundError(f"no configs/{family}/metafile.yml: choose one of {', '.join(known)} or 'all'.")
    return [model for file in files for model in yaml.safe_load(file.read_text())['Models'] if 'Reproduce' in model]


def start_options(model: dict, work_dirs: Path) -> list[str]:
    """Arguments of the training that name the weights a twin starts from; those are trained first where they are not there.

    Args:
        model: Entry of a metafile; `Reproduce: {Start: [{From: NAME, Option: KEY}]}` puts the checkpoint of NAME at KEY of the
            config.
        work_dirs: Folder of the runs.
    """
    options = []
    for start in model['Reproduce'].get('Start', []):
        folder = work_dirs / start['From']
        if not (folder / 'last_checkpoint').exists():
            first = next(twin for twin in twins('all') if twin['Name'] == start['From'])
            train_and_test(first, folder)
        options.append(f'{start["Option"]}={(folder / "last_checkpoint").read_text().strip()}')
    return ['--cfg-options', *options] if options else []


def train_and_test(model: dict, work_dir: Path) -> dict[str, float]:
    """Metrics of a model after its training."""
    env = {**os.environ, 'PYTHON': sys.executable}
    options = ['--work-dir', str(work_dir), *start_options(model, work_dir.parent)]
    ranks = str(model['Reproduce']['Ranks'])
    subprocess.run(['bash', 'tools/dist_train.sh', model['Config'], ranks, *options], cwd=ROOT, env=env, check=True)
    checkpoint = (work_dir / 'last_checkpoint').read_text().strip()
    figures = work_dir / 'metrics.json'
    command = [sys.executable, 'tools/test.py', model['Config'], checkpoint, '--out', str(figures), *options]
    subprocess.run(command, cwd=ROOT, env=env, check=True)
    return json.loads(figures.read_text())


def compare(model: dict, metrics: dict[str, float]) -> list[dict]:
    """One row per stated figure: stated, reached, and whether it holds."""
    return [
        dict(metric=name, stated=least, reached=metrics.get(name), holds=metrics.get(name, float('-inf')) >= least)
        for name, least in model['Reproduce']['At least'].items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description='Train embedded twins and compare them with their stated figures.')
    parser.add_argument('family', help="folder below configs/, or 'all'")
    parser.add_argument('--work-dir', type=Path, default=ROOT / 'work_dirs/reproduce', help='folder for the runs')
    parser.add_argument('--json', metavar='FILE', help='write the table as one JSON object')
    args = parser.parse_args()
    try:
        models = twins(args.family)
    except FileNotFoundError as error:
        sys.exit(f'error: {error}')
    report = {}
    for model in models:
        started = time.time()
        metrics = train_and_test(model, (args.work_dir / model['Name']).resolve())
        report[model['Name']] = dict(figures=compare(model, metrics), minutes=round((time.time() - started) / 60, 1))
    for name, result in report.items():
        for row in result['figures']:
            verdict = 'ok' if row['holds'] else 'SHORT'
            print(f'{name}  {row["metric"]}  stated {row["stated"]}  reached {row["reached"]}  {verdict}')
    if args.json:
        write_json(args.json, report)
    if not all(row['holds'] for result in report.values() for row in result['figures']):
        sys.exit(1)


if __name__ == '__main__':
    main()
