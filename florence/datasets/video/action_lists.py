"""Videos with classes from a list, a file of records or a folder per class."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from florence.datasets.hash_split import HashSplit
from florence.datasets.image_folder import readable
from florence.datasets.record_pairs import READERS
from florence.datasets.record_readers import read_lines

VIDEO_SUFFIXES = frozenset({'.avi', '.flv', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.ts', '.webm', '.wmv'})


@dataclass(frozen=True)
class ActionList:
    """What an annotation says.

    Attributes:
        rows: Path of each video, relative to the folder of the videos, and its class: an index or a name.
        classes: Class names in the order of their indices, where the annotation tells them.
    """

    rows: Sequence[tuple[str, int | str]]
    classes: tuple[str, ...] | None = None

    def part(self, split: HashSplit) -> 'ActionList':
        """The rows of one side of a split by the hash of their path."""
        return ActionList([row for row in self.rows if split.has(row[0])], self.classes)


def as_class(label: object) -> int | str:
    """A class index where the text is a whole number, else a class name."""
    text = str(label).strip()
    return int(text) if re.fullmatch(r'-?\d+', text) else text


def read_list(file: str, delimiter: str = ' ') -> ActionList:
    """mmaction2's lists: one "path label" a line; the path may hold blanks.

    Args:
        file: The list.
        delimiter: What stands between path and label; the last one in a line counts.

    Raises:
        ValueError: If the delimiter is empty, or a line has no label.
    """
    if not delimiter:
        raise ValueError(f"{file}: delimiter stands between path and label, such as ' ' or ',', it cannot be empty")
    rows = []
    for number, line in read_lines(file):
        path, _, label = line.rpartition(delimiter)
        if not path.strip():
            raise ValueError(f'{file}, line {number} must be "path{delimiter}label", found {line[:80]!r}')
        rows.append((path.strip(), as_class(label)))
    return ActionList(rows)


def read_records(file: str, columns: Sequence[str] = ('path', 'label')) -> ActionList:
    """Rows of a table or a list of JSON objects.

    Args:
        file: `.csv`, `.tsv`, `.json` or `.jsonl`.
        columns: Names of the columns of path and label.

    Raises:
        KeyError: If a record lacks one of the columns.
        ValueError: If the file's ending is another one, or there are not two columns.
    """
    ending = Path(file).suffix[1:].lower()
    if ending not in READERS:
        raise ValueError(f'records are read from {", ".join(READERS)} files, not from {file}: rename it, or name its layout')
    if isinstance(columns, str) or len(columns) != 2:
        raise ValueError(f'{file}: columns are those of path and label, two names, not {columns!r}')
    path, label = columns
    rows = []
    for number, record in enumerate(READERS[ending](file)):
        if path not in record or label not in record:
            raise KeyError(
                f'{file}: record {number} has no columns {path!r} and {label!r}: name the right ones in `columns`, found '
                f'{", ".join(map(str, record))}'
            )
        rows.append((str(record[path]), as_class(record[label])))
    return ActionList(rows)


def read_folders(root: Path) -> ActionList:
    """Videos in a folder per class, at any depth below it; classes are the folders in sorted order.

    Args:
        root: Folder of the class folders.

    Raises:
        ValueError: If a class folder holds no video.
    """
    rows: list[tuple[str, int | str]] = []
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    for folder in folders:
        files = sorted(path for path in folder.rglob('*') if path.suffix.lower() in VIDEO_SUFFIXES)
        if not files:
            raise ValueError(f'class folder {folder} holds no video')
        rows += [(path.relative_to(root).as_posix(), readable(folder.name)) for path in files]
    return ActionList(rows, tuple(readable(folder.name) for folder in folders))
