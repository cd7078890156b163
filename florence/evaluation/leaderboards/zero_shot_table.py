"""The zero-shot table of Florence (arXiv 2111.11432, sections 3.1 and 3.5) with our figures beside the published ones.

Twelve classification sets, whose mean is given once all are there, and retrieval on Flickr30k and COCO. Each set has
the metric of CLIP (arXiv 2103.00020, appendix A): accuracy, mean accuracy per class, or 11-point mAP. A published figure
stands here only where it is known for certain; the others are left empty, and sets without a result are listed.
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from florence.atomic_files import atomic_path, write_json
from florence.user_errors import did_you_mean


@dataclass(frozen=True)
class Entry:
    """One line of the table.

    Attributes:
        dataset: Name that the results use.
        metric: Name of the metric in the results.
        title: What the line is called.
        published: Florence's figure, percent; None = not known.
        in_mean: Whether it counts for the mean of the twelve sets.
    """

    dataset: str
    metric: str
    title: str
    published: float | None = None
    in_mean: bool = True


ENTRIES = (
    Entry('food101', 'top1', 'Food101'),
    Entry('cifar10', 'top1', 'CIFAR10'),
    Entry('cifar100', 'top1', 'CIFAR100'),
    Entry('sun397', 'top1', 'SUN397'),
    Entry('cars', 'top1', 'Stanford Cars'),
    Entry('aircraft', 'mean_per_class', 'FGVC Aircraft'),
    Entry('voc2007', 'mAP', 'VOC2007'),
    Entry('dtd', 'top1', 'DTD'),
    Entry('pets', 'mean_per_class', 'Oxford Pets'),
    Entry('caltech101', 'mean_per_class', 'Caltech101'),
    Entry('flowers102', 'mean_per_class', 'Flowers102'),
    Entry('imagenet', 'top1', 'ImageNet', 83.74),
    Entry('imagenet', 'top5', 'ImageNet', 97.18, in_mean=False),
    Entry('flickr30k', 'i2t_R@1', 'Flickr30k, image to text', 90.9, in_mean=False),
    Entry('flickr30k', 't2i_R@1', 'Flickr30k, text to image', 76.7, in_mean=False),
    Entry('coco', 'i2t_R@1', 'COCO, image to text', 64.7, in_mean=False),
    Entry('coco', 't2i_R@1', 'COCO, text to image', 47.2, in_mean=False),
)


def split_by_dataset(metrics: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Turn `{'digits/top1': 9.0}`, as a loop over several data sets gives it, into `{'digits': {'top1': 9.0}}`.

    Raises:
        ValueError: If a name has no data set in front.
    """
    results: dict[str, dict[str, float]] = {}
    for name, value in metrics.items():
        dataset, slash, metric = name.partition('/')
        if not slash:
            raise ValueError(f'the metric {name!r} does not say its data set: expected a name such as imagenet/top1.')
        results.setdefault(dataset, {})[metric] = value
    return results


def zero_shot_table(results: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Build the table.

    Args:
        results: Metrics in percent by data set; the names are those of `ENTRIES`. Metrics that the table does not
            have are left out of it.

    Returns:
        `rows` (all entries, with `ours`), `mean_of_12` (None unless all twelve are there) and `missing` (data sets of
        which a figure is missing).

    Raises:
        KeyError: If a data set is not in the table.
        ValueError: If a figure is no percentage.
    """
    known = sorted({entry.dataset for entry in ENTRIES})
    for dataset in results:
        if dataset not in known:
            hint = did_you_mean(dataset, known)
            raise KeyError(f'the zero-shot table has no data set {dataset!r}; it has {", ".join(known)}.{hint}')
    rows = []
    for entry in ENTRIES:
        ours = results.get(entry.dataset, {}).get(entry.metric)
        if ours is not None and not _is_percentage(ours):
            raise ValueError(f'{entry.dataset}/{entry.metric} must be a percentage from 0 to 100, found {ours!r}.')
        rows.append({**asdict(entry), 'ours': ours})
    return {'rows': rows, **_summary(rows)}


def _is_percentage(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100


def _summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    figures = [row['ours'] for row in rows if row['in_mean']]
    complete = None not in figures
    return {
        'mean_of_12': sum(figures) / len(figures) if complete else None,
        'missing': list(dict.fromkeys(row['dataset'] for row in rows if row['ours'] is None)),
    }


def to_markdown(table: Mapping[str, Any]) -> str:
    """The table as GitHub Markdown.

    Args:
        table: As `zero_shot_table` gives it.
    """
    lines = ['| data set | metric | ours | Florence |', '|---|---|---:|---:|']
    for row in table['rows']:
        lines.append(f'| {row["title"]} | {row["metric"]} | {_cell(row["ours"])} | {_cell(row["published"])} |')
    lines.append(f'| **mean of the twelve sets** | | {_cell(table["mean_of_12"])} | |')
    missing = ', '.join(table['missing']) or 'none'
    return '\n'.join([*lines, '', f'Percent. Florence: arXiv 2111.11432. Sets without our figure: {missing}.', ''])


def _cell(value: float | None) -> str:
    return '' if value is None else f'{value:.2f}'


def write_zero_shot_table(results: Mapping[str, Mapping[str, float]], out_dir: str | os.PathLike) -> dict[str, Any]:
    """Write `zero_shot.json` and `zero_shot.md`; returns the table.

    Args:
        results: As for `zero_shot_table`.
        out_dir: Folder to write to.
    """
    table = zero_shot_table(results)
    write_json(Path(out_dir, 'zero_shot.json'), table)
    with atomic_path(Path(out_dir, 'zero_shot.md')) as path:
        path.write_text(to_markdown(table))
    return table


def check_zero_shot_table(path: str | os.PathLike) -> list[str]:
    """What is wrong with a `zero_shot.json`; nothing if the list is empty.

    Checked: every entry is there with the published figure, figures are percentages, and the mean and the list of
    missing sets follow from the figures.

    Args:
        path: File that `write_zero_shot_table` wrote.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    try:
        table = json.loads(Path(path).read_text())
        rows = list(table['rows'])
        given = {(row['dataset'], row['metric']): row for row in rows}
    except (json.JSONDecodeError, TypeError, KeyError) as error:
        return [f'not a zero-shot table: {type(error).__name__} {error}']
    problems = [f'{len(rows)} rows, expected {len(ENTRIES)}'] if len(rows) != len(ENTRIES) else []
    for entry in ENTRIES:
        name = f'{entry.dataset}/{entry.metric}'
        row = given.get((entry.dataset, entry.metric))
        if row is None:
            problems.append(f'{name} is missing')
            continue
        wrong = [key for key, value in asdict(entry).items() if row.get(key) != value]
        problems += [f'{name}: {key} is {row.get(key)!r}, expected {getattr(entry, key)!r}' for key in wrong]
        if 'ours' not in row or not (row['ours'] is None or _is_percentage(row['ours'])):
            problems.append(f'{name}: ours is {row.get("ours")!r}, expected a percentage or null')
    if problems:
        return problems
    summary = _summary(rows)
    if table.get('missing') != summary['missing']:
        problems.append(f'missing is {table.get("missing")!r}, the rows lack {summary["missing"]!r}')
    mean, expected = table.get('mean_of_12'), summary['mean_of_12']
    if mean is not expected and not (_is_percentage(mean) and expected and math.isclose(mean, expected, abs_tol=1e-6)):
        problems.append(f'mean_of_12 is {mean!r}, the rows give {expected!r}')
    return problems
