"""AP of every set of an ODinW group, their unweighted mean, and Florence's Table 7 beside it.

The mean of a group is given once all of its sets have a figure; the mean of the sets that have one is given apart, with their
number, and the paper's mean over the same sets beside it. Sets without a figure are listed.
"""

import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from florence.atomic_files import atomic_path, write_json
from florence.evaluation.leaderboards.table7 import SOURCE, published
from florence.tasks.odinw import FEW_SHOT_SEEDS, sets_of

MODES = ('zero-shot', 'full', 'few-shot')


def odinw_table(runs: Mapping[str, Mapping[str, Any]], group: str, mode: str, shots: int | None = None) -> dict[str, Any]:
    """Build the table.

    Args:
        runs: By set: `{'AP': percent, ...}`; for few-shot `{'AP_by_seed': {seed: percent}, ...}`. Other entries are kept.
        group: 'florence11', 'odinw13' or 'odinw35'.
        mode: 'zero-shot', 'full' or 'few-shot'.
        shots: Images of each class for few-shot; the published figures stand beside those of five only.

    Returns:
        `rows`, `mean`, `mean_of_found`, `num_found`, `published_mean_of_found`, `missing`.

    Raises:
        KeyError: If a set is not in the group, or the group is unknown.
        ValueError: If the mode is unknown, a figure is no percentage, or few-shot seeds are missing.
    """
    if mode not in MODES:
        raise ValueError(f'mode must be one of {", ".join(MODES)}, got {mode!r}.')
    names = [each.name for each in sets_of(group)]
    strangers = sorted(set(runs) - set(names))
    if strangers:
        raise KeyError(f'the group {group} has no set {strangers[0]!r}; it has {", ".join(names)}.')
    rows = []
    for each in sets_of(group):
        figures = _figures(each.name, runs[each.name], mode) if each.name in runs else {'AP': None}
        rows.append({'set': each.name, 'title': each.table7_title, 'published': published(each.name, mode, shots), **figures})
    found = [row for row in rows if row['AP'] is not None]
    beside = [row['published'] for row in found]
    return {
        'group': group,
        'mode': mode,
        'rows': rows,
        'mean': _mean([row['AP'] for row in found]) if len(found) == len(rows) else None,
        'mean_of_found': _mean([row['AP'] for row in found]),
        'num_found': len(found),
        'published_mean_of_found': None if None in beside else _mean(beside),
        'published_source': SOURCE,
        'missing': [row['set'] for row in rows if row['AP'] is None],
    }


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _figures(name: str, run: Mapping[str, Any], mode: str) -> dict[str, Any]:
    if mode != 'few-shot':
        values = [run['AP']]
        result = dict(run)
    else:
        by_seed = {int(seed): value for seed, value in run['AP_by_seed'].items()}
        if set(by_seed) != set(FEW_SHOT_SEEDS):
            raise ValueError(f'{name}: few-shot results need the seeds {FEW_SHOT_SEEDS}, found {tuple(sorted(by_seed))}.')
        values = list(by_seed.values())
        # The sample's deviation: three seeds stand for all.
        result = {**run, 'AP': statistics.fmean(values), 'AP_std': statistics.stdev(values)}
    wrong = [value for value in values if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100]
    if wrong:
        raise ValueError(f'{name}: AP must be a percentage from 0 to 100, found {wrong[0]!r}.')
    return result


def to_markdown(table: Mapping[str, Any]) -> str:
    """The table as GitHub Markdown.

    Args:
        table: As `odinw_table` gives it.
    """
    lines = ['| set | AP | published |', '|---|---:|---:|']
    for row in table['rows']:
        spread = f' +- {row["AP_std"]:.1f}' if 'AP_std' in row else ''
        lines.append(f'| {row["set"]} | {_cell(row["AP"])}{spread} | {_cell(row["published"])} |')
    total = len(table['rows'])
    lines.append(
        f'| **mean of {table["num_found"]} of {total} sets** | {_cell(table["mean_of_found"])} | '
        f'{_cell(table["published_mean_of_found"])} |'
    )
    missing = ', '.join(table['missing']) or 'none'
    note = f'Box AP in percent, {table["mode"]}. Published: {table["published_source"]}. Sets without our figure: {missing}.'
    return '\n'.join([*lines, '', note, ''])


def _cell(value: float | None) -> str:
    return '' if value is None else f'{value:.1f}'


def write_odinw_table(
    runs: Mapping[str, Mapping[str, Any]], group: str, mode: str, settings: Mapping[str, Any], out_dir: str | os.PathLike
) -> dict[str, Any]:
    """Write `odinw.json` and `odinw.md`; returns the table.

    Args:
        runs, group, mode: As for `odinw_table`.
        settings: How the figures came about: model, checkpoint, split, prompt set, score fusion, shots.
        out_dir: Folder to write to.
    """
    table = odinw_table(runs, group, mode, settings.get('shots')) | {'settings': dict(settings)}
    write_json(Path(out_dir, 'odinw.json'), table)
    with atomic_path(Path(out_dir, 'odinw.md')) as path:
        path.write_text(to_markdown(table))
    return table
