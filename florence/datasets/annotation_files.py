"""Annotation files that an argument of a data set names: one, several, or a folder of them."""

from collections.abc import Sequence
from pathlib import Path


def annotation_files(files: str | Sequence[str], data_root: str = '') -> list[Path]:
    """The files that an argument of a data set names.

    Args:
        files: One or several; a folder stands for its `*.json` in the order of their names.
        data_root: Folder that relative paths start at.

    Raises:
        FileNotFoundError: If a file is missing, or a folder has none.
    """
    found: list[Path] = []
    for file in [files] if isinstance(files, str) else files:
        path = Path(data_root) / file
        if path.is_dir():
            found += sorted(path.glob('*.json'))
        elif path.is_file():
            found.append(path)
        else:
            raise FileNotFoundError(f'no annotation file at {path}')
    if not found:
        raise FileNotFoundError(f'no annotation file in {files!r} below {data_root or "."}')
    return found
