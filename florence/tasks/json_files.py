"""JSON files of annotations, with errors that name the file and the field."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def read_json_file(path: str | Path) -> Any:
    """The content of a JSON file.

    Raises:
        ValueError: If it is cut short or no JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding='utf-8-sig'))
    except ValueError as error:
        raise ValueError(f'{path} is not valid JSON: {error}') from error


def read_json_object(path: str | Path, *fields: str) -> dict:
    """The object of a JSON file.

    Args:
        path: The file.
        fields: Fields that it must have.

    Raises:
        KeyError: If one is missing.
        ValueError: If the file is no JSON or holds no object.
    """
    content = read_json_file(path)
    if not isinstance(content, dict):
        raise ValueError(f'{path} must hold one object, it holds {type(content).__name__}')
    return require_fields(content, fields, str(path))


def require_fields(entry: dict, fields: Sequence[str], source: str) -> dict:
    """The entry, if it has all of the fields.

    Raises:
        KeyError: If one is missing; says which ones it has.
        ValueError: If it is no object.
    """
    if not isinstance(entry, dict):
        wanted = f'an object with {", ".join(fields)}' if fields else 'an object'
        raise ValueError(f'{source} must be {wanted}, it is {entry!r:.80}.')
    for field in fields:
        if field not in entry:
            raise KeyError(f'{source} has no field {field!r}, found {", ".join(map(str, entry))}')
    return entry
