"""Rows of annotation files as dicts. Large fields and quotes inside captions are taken as they come."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path


def read_json(path: str) -> list[dict]:
    """Objects of a JSON file that holds one list.

    Raises:
        ValueError: If the file is not JSON or not a list of objects.
    """
    try:
        records = json.loads(Path(path).read_text(encoding='utf-8'))
    except json.JSONDecodeError as error:
        raise ValueError(f'{path} is not valid JSON: {error}') from error
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise ValueError(f'{path} must hold a list of objects, it holds {type(records).__name__}')
    return records


def read_jsonl(path: str) -> Iterator[dict]:
    """Objects of a file with one JSON object a line; blank lines are skipped.

    Raises:
        ValueError: If a line is not a JSON object.
    """
    with open(path, encoding='utf-8') as lines:
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
        ValueError: If a row has more or fewer fields than the first line.
    """
    with open(path, encoding='utf-8', newline='') as lines:
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
