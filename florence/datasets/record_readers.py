"""Lines of lists, and rows of annotation files as dicts.

Files are UTF-8, with or without the mark that spreadsheets put before the text.
"""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from florence.tasks.json_files import require_fields


@contextmanager
def _open_text(path: str) -> Iterator[TextIO]:
    try:
        with open(path, encoding='utf-8-sig', newline='') as lines:
            yield lines
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is not encoded in UTF-8 ({error}): save it in that encoding') from error
    except csv.Error as error:
        raise ValueError(f'{path} cannot be read as a table ({error}): is a quotation mark left open?') from error


def read_lines(path: str) -> Iterator[tuple[int, str]]:
    """Numbers, from 1, and texts of the lines of a list, without the white space around them; blank lines are skipped.

    Raises:
        ValueError: If the file is not UTF-8.
    """
    with _open_text(path) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield number, line.strip()


def read_json(path: str, field: str | None = None) -> list[dict]:
    """Objects of a JSON file that holds one list.

    Args:
        path: The file.
        field: The list is under this field of one object; None: it is the whole file.

    Raises:
        KeyError: If there is no such field.
        ValueError: If the file is not UTF-8, not JSON or not a list of objects.
    """
    try:
        with _open_text(path) as lines:
            records = json.load(lines)
    except json.JSONDecodeError as error:
        raise ValueError(f'{path} is not valid JSON: {error}') from error
    if field is not None:
        records = require_fields(records, [field], path)[field]
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        place = path if field is None else f'{path}, field {field!r},'
        raise ValueError(f'{place} must hold a list of objects, it holds {type(records).__name__}')
    return records


def read_jsonl(path: str) -> Iterator[dict]:
    """Objects of a file with one JSON object a line; blank lines are skipped.

    Raises:
        ValueError: If the file is not UTF-8, or a line is not a JSON object.
    """
    with _open_text(path) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f'{path}, line {number} is not valid JSON: {error}') from error
            if not isinstance(record, dict):
                raise ValueError(f'{path}, line {number} must hold an object, it holds {type(record).__name__}')
            yield record


def read_table(path: str, delimiter: str, quoting: int = csv.QUOTE_MINIMAL) -> Iterator[dict]:
    """Rows of a table whose first line names the columns.

    Args:
        path: The file.
        delimiter: Character between columns.
        quoting: One of the `csv.QUOTE_*` constants.

    Raises:
        ValueError: If the file is not UTF-8, or a row has more or fewer fields than the first line.
    """
    with _open_text(path) as lines:
        rows = csv.reader(lines, delimiter=delimiter, quoting=quoting)
        columns = next(rows, [])
        for row in rows:
            if not row:
                continue
            if len(row) != len(columns):
                raise ValueError(
                    f'{path}, line {rows.line_num} has {len(row)} fields, the first line names '
                    f'{len(columns)}: {", ".join(columns)}'
                )
            yield dict(zip(columns, row, strict=True))
