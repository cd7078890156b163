"""The page of a report: tables and pictures in one HTML file beside the pictures."""

import html
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from florence.atomic_files import atomic_path

STYLE = """body { font: 15px sans-serif; margin: 2em auto; max-width: 1100px; color: #222 }
table { border-collapse: collapse; margin: 1em 0 }
td, th { padding: .25em .8em; border-bottom: 1px solid #ddd; text-align: right }
td:first-child, th:first-child { text-align: left } img { max-width: 100%; margin: .5em 0 }"""


@dataclass(frozen=True)
class ReportTable:
    """A table of the page.

    Attributes:
        title: Heading.
        columns: Names of the columns.
        rows: Cells, one for each column.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


def write_report_page(
    path: str | os.PathLike, title: str, tables: Sequence[ReportTable], pictures: Mapping[str, Sequence[str]]
) -> None:
    """Write the page; it needs no network and no script.

    Args:
        path: HTML file.
        title: Heading of the page.
        tables: Shown first.
        pictures: By heading: files, relative to the folder of the page.
    """
    parts = [f'<h1>{html.escape(title)}</h1>', *(_table(table) for table in tables)]
    for heading, files in pictures.items():
        parts.append(f'<h2>{html.escape(heading)}</h2>')
        parts += [f'<img src="{html.escape(file)}" alt="{html.escape(heading)}" loading="lazy">' for file in files]
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}</style>'
    page = f'<!doctype html>\n<html><head>{head}</head>\n<body>\n' + '\n'.join(parts) + '\n</body></html>\n'
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding='utf-8')


def _table(table: ReportTable) -> str:
    head = ''.join(f'<th>{html.escape(name)}</th>' for name in table.columns)
    rows = [''.join(f'<td>{html.escape(_cell(cell))}</td>' for cell in row) for row in table.rows]
    body = '\n'.join(f'<tr>{row}</tr>' for row in [head, *rows])
    return f'<h2>{html.escape(table.title)}</h2>\n<table>\n{body}\n</table>'


def _cell(value: object) -> str:
    return f'{value:.3f}' if isinstance(value, float) else str(value)
