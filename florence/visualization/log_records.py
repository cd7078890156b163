"""Reading of the scalars that mmengine's `LocalVisBackend` writes, one JSON object a line."""

import json
import os
from pathlib import Path
from typing import Any


def read_log_records(source: str | os.PathLike) -> list[dict[str, Any]]:
    """Records of a run in the order they were written.

    A work directory holds one log per start. A later start continues the earlier ones or replaces them
    from its first step on, as a resumed run does.

    Args:
        source: A work directory, a run's folder in it, or a `scalars.json`.

    Raises:
        FileNotFoundError: If there is no such log.
        ValueError: If a line is no JSON object.
    """
    source = Path(source)
    files = [source] if source.is_file() else sorted(source.glob('**/vis_data/scalars.json'))
    if not files:
        raise FileNotFoundError(f'no vis_data/scalars.json under {source}: give the work directory of a run.')
    records: list[dict[str, Any]] = []
    for file in files:
        later = _read(file)
        steps = [record['step'] for record in later if 'loss' in record]
        if steps:
            records = records[: _first_replaced(records, steps[0])]
        records.extend(later)
    return records


def _first_replaced(records: list[dict[str, Any]], step: int) -> int:
    """Index of the first training record at or after `step`, or the number of records."""
    replaced = (index for index, record in enumerate(records) if 'loss' in record and record['step'] >= step)
    return next(replaced, len(records))


def _read(file: Path) -> list[dict[str, Any]]:
    records = []
    lines = file.read_text().splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            if number == len(lines):
                continue  # a run that is being written, or was killed, may end within a line
            raise ValueError(f'line {number} of {file} is no JSON object: {error}.') from None
        if not isinstance(record, dict):
            raise ValueError(f'line {number} of {file} is no JSON object but {type(record).__name__}.')
        records.append(record)
    return records
