"""A COCO-style file written entry by entry, whole or not at all."""

import json
import os
from collections.abc import Iterable

from florence.atomic_files import atomic_path


def write_coco_file(path: str | os.PathLike, **members: Iterable[dict]) -> None:
    """Write lists of entries, one entry a line; each list is read once and never held.

    Args:
        path: File to write.
        **members: `categories`, `images`, `annotations`, ...: written in the order given.
    """
    with atomic_path(path) as temporary, temporary.open('w', encoding='utf-8') as file:
        for number, (name, entries) in enumerate(members.items()):
            file.write(f'{"," if number else "{"}\n{json.dumps(name)}: [')
            for position, entry in enumerate(entries):
                file.write(',\n' if position else '\n')
                file.write(json.dumps(entry, ensure_ascii=False))
            file.write('\n]')
        file.write('\n}\n')
