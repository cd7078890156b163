"""Recall of image-text retrieval on COCO and Flickr30k and of text-video retrieval on MSR-VTT, beside published figures, each
with its source.

Published: Florence (arXiv 2111.11432, sections 3.5 and 3.8), zero-shot and fine-tuned, two towers alone, and what it compares
itself with on MSR-VTT; METER fine-tuned, as quoted in Tag2Text's comparison (arXiv 2303.05657); UMT's largest model (arXiv
2303.16058, the figures of its repository) and CLIP4Clip trained on MSR-VTT (mmaction2's model zoo). For COCO's 1K protocol, the
mean over five folds of the 5,000 test images, none of them gives a figure.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from florence.atomic_files import atomic_path, write_json

KS = (1, 5, 10)
OF_IMAGES, OF_VIDEOS = ('i2t', 't2i'), ('t2v', 'v2t')
FLORENCE, TAG2TEXT = 'arXiv 2111.11432', 'METER as in arXiv 2303.05657'
UMT, MMACTION = 'OpenGVLab/unmasked_teacher', 'open-mmlab/mmaction2'


@dataclass(frozen=True)
class Protocol:
    """One table: a test set and how it is searched.

    Args:
        dataset: Name of the data set in the results.
        title: Heading.
        prefix: What stands before the names of its metrics.
        published: Rows: model, source, and the six recalls in percent, None = not given.
        directions: What the metrics of the two directions are named after.
    """

    dataset: str
    title: str
    prefix: str
    published: tuple[tuple[str, str, tuple[float | None, ...]], ...]
    directions: tuple[str, str] = OF_IMAGES

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the six recalls."""
        return tuple(f'{direction}_R@{k}' for direction in self.directions for k in KS)


PROTOCOLS = (
    Protocol(
        'coco',
        'COCO, 5,000 test images',
        '',
        (
            ('Florence, zero-shot', FLORENCE, (64.7, 85.9, None, 47.2, 71.4, None)),
            ('Florence, fine-tuned', FLORENCE, (81.8, 95.2, None, 63.2, 85.7, None)),
            ('METER, fine-tuned', TAG2TEXT, (76.2, 93.2, 96.8, 57.1, 82.7, 90.1)),
        ),
    ),
    Protocol('coco', 'COCO, mean of five folds of 1,000 test images', 'fold_', ()),
    Protocol(
        'flickr30k',
        'Flickr30k, 1,000 test images',
        '',
        (
            ('Florence, zero-shot', FLORENCE, (90.9, 99.1, None, 76.7, 93.6, None)),
            ('Florence, fine-tuned', FLORENCE, (97.2, 99.9, None, 87.9, 98.1, None)),
            ('METER, fine-tuned', TAG2TEXT, (94.3, 99.6, 99.9, 82.2, 96.3, 98.4)),
        ),
    ),
    Protocol(
        'msrvtt',
        'MSR-VTT, the 1,000 test pairs "1k-A"',
        '',
        (
            ('Florence, zero-shot', FLORENCE, (37.6, 63.8, 72.6, None, None, None)),
            ('CLIP ViT-B/16, zero-shot', FLORENCE, (26.0, 49.4, 60.7, None, None, None)),
            ('Frozen in Time, zero-shot', FLORENCE, (18.7, 39.5, 51.6, None, None, None)),
            ('VideoCLIP, zero-shot', FLORENCE, (10.4, 22.2, 30.0, None, None, None)),
            ('UMT-L, 25 M, zero-shot', UMT, (40.7, 63.4, 71.8, 37.1, 58.7, 68.9)),
            ('UMT-L, 25 M, fine-tuned', UMT, (58.8, 81.0, 87.1, 58.6, 81.6, 86.5)),
            ('CLIP4Clip ViT-B/32, fine-tuned', MMACTION, (43.1, 69.4, 78.9, None, None, None)),
        ),
        OF_VIDEOS,
    ),
)
COLUMNS = PROTOCOLS[0].columns
"""Of the tables of images."""


def retrieval_table(results: Mapping[str, Mapping[str, float]], model: str = 'ours') -> dict[str, Any]:
    """Build the table.

    Args:
        results: Metrics in percent by data set, 'coco' or 'flickr30k', as `FusedRetrieval` or `ImageTextRetrieval` gives them, or
            'msrvtt', as `VideoTextRetrieval` does; COCO's folds are those of `fold_size=1000`. Other metrics are left out.
        model: What the own rows are called.

    Returns:
        `tables`, a list of `title`, `dataset`, `columns` and `rows` (`model`, `source` and the recalls; None = not known), and
        `missing`, titles of the tables without an own row.

    Raises:
        KeyError: If a data set is not in the table, or a recall of an own row is missing.
        ValueError: If there is no result, or a figure is no percentage.
    """
    first_columns = {protocol.dataset: protocol.columns[0] for protocol in PROTOCOLS}
    known = sorted(first_columns)
    strangers = sorted(set(results) - set(known))
    if strangers or not results:
        found = repr(strangers[0]) if strangers else 'nothing'
        error: type[Exception] = KeyError if strangers else ValueError
        raise error(f'the retrieval table holds results of {", ".join(known)}, got {found}.')
    for dataset, metrics in results.items():
        first = first_columns[dataset]
        if not any(name.endswith(first) for name in metrics):
            raise KeyError(
                f'{dataset} has no {first}, it has {", ".join(metrics) or "nothing"}: give the figures of a retrieval.'
            )
    tables = []
    for protocol in PROTOCOLS:
        rows = [
            {'model': name, 'source': source, **dict(zip(protocol.columns, values, strict=True))}
            for name, source, values in protocol.published
        ]
        own = _own_rows(results.get(protocol.dataset, {}), protocol, model)
        columns = list(protocol.columns)
        tables.append({'title': protocol.title, 'dataset': protocol.dataset, 'columns': columns, 'rows': rows + own})
    return {'tables': tables, 'missing': _missing(tables)}


def _missing(tables: Sequence[Mapping[str, Any]]) -> list[str]:
    return [table['title'] for table in tables if all(row['source'] for row in table['rows'])]


def _own_rows(metrics: Mapping[str, float], protocol: Protocol, model: str) -> list[dict[str, Any]]:
    names = {'two_tower_' + protocol.prefix: f'{model}, two towers', protocol.prefix: model}
    if 'two_tower_' + protocol.prefix + protocol.columns[0] in metrics:
        names[protocol.prefix] = f'{model}, re-ranked'
    rows = []
    for prefix, name in names.items():
        if prefix + protocol.columns[0] not in metrics:
            continue
        row: dict[str, Any] = {'model': name, 'source': None}
        for column in protocol.columns:
            if prefix + column not in metrics:
                raise KeyError(f'{protocol.dataset} has no {prefix + column}: evaluate with ks={KS}.')
            row[column] = metrics[prefix + column]
            if not _is_percentage(row[column]):
                raise ValueError(f'{protocol.dataset}/{prefix + column} must be a percentage from 0 to 100, got {row[column]!r}.')
        rows.append(row)
    return rows


def _is_percentage(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100


def to_markdown(table: Mapping[str, Any]) -> str:
    """The tables as GitHub Markdown.

    Args:
        table: As `retrieval_table` gives it.
    """
    lines: list[str] = []
    for part in table['tables']:
        columns = part['columns']
        lines += [f'## {part["title"]}', '', f'| model | source | {" | ".join(columns)} |', f'|---|---|{"---:|" * len(columns)}']
        for row in part['rows']:
            cells = ('' if row[column] is None else f'{row[column]:.1f}' for column in columns)
            lines.append(f'| {row["model"]} | {row["source"] or "this project"} | {" | ".join(cells)} |')
        lines.append('')
    missing = ', '.join(table['missing']) or 'none'
    key = 'i2t image to text, t2i text to image, t2v text to video, v2t video to text'
    return '\n'.join([*lines, f'Recall in percent, {key}. Without our figure: {missing}.', ''])


def write_retrieval_table(
    results: Mapping[str, Mapping[str, float]], out_dir: str | os.PathLike, model: str = 'ours'
) -> dict[str, Any]:
    """Write `retrieval.json` and `retrieval.md`; returns the table.

    Args:
        results, model: As for `retrieval_table`.
        out_dir: Folder to write to.
    """
    table = retrieval_table(results, model)
    write_json(Path(out_dir, 'retrieval.json'), table)
    with atomic_path(Path(out_dir, 'retrieval.md')) as path:
        path.write_text(to_markdown(table), encoding='utf-8')
    return table


def check_retrieval_table(path: str | os.PathLike) -> list[str]:
    """What is wrong with a `retrieval.json`; nothing if the list is empty.

    Checked: every table is there with the published rows as they are, own figures are percentages that do not fall with K, and
    `missing` follows from the rows.

    Args:
        path: File that `write_retrieval_table` wrote.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
        rows = {table['title']: [{**row, 'model': row['model'], 'source': row['source']} for row in table['rows']]
                for table in content['tables']}  # fmt: skip
        missing = _missing(content['tables'])
    except (ValueError, TypeError, KeyError) as error:
        return [f'not a retrieval table: {type(error).__name__} {error}']
    problems = []
    for protocol in PROTOCOLS:
        if protocol.title not in rows:
            problems.append(f'{protocol.title} is missing')
            continue
        given = {row['model']: row for row in rows[protocol.title] if row['source']}
        for name, source, values in protocol.published:
            if given.get(name) != {'model': name, 'source': source, **dict(zip(protocol.columns, values, strict=True))}:
                problems.append(f'{protocol.title}: the published row {name!r} is missing or changed')
        for row in rows[protocol.title]:
            if not row['source']:
                problems += [f'{protocol.title}, {row["model"]}: {problem}' for problem in _problems(row, protocol)]
    if content.get('missing') != missing:
        problems.append(f'missing is {content.get("missing")!r}, the rows lack {missing!r}')
    return problems


def _problems(row: Mapping[str, Any], protocol: Protocol) -> list[str]:
    wrong = [column for column in protocol.columns if not _is_percentage(row.get(column))]
    if wrong:
        return [f'{column} is {row.get(column)!r}, expected a percentage' for column in wrong]
    directions = [[row[f'{direction}_R@{k}'] for k in KS] for direction in protocol.directions]
    return ['recall falls where K grows'] if any(values != sorted(values) for values in directions) else []
