"""Files and folders that are either whole or not there: written beside the target, then renamed."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_path(target: str | os.PathLike, durable: bool = True) -> Iterator[Path]:
    """A temporary path in the target's folder; renamed to the target when the block ends without an error.

    Args:
        target: File to write; its folder is made.
        durable: The content reaches the disk before the name does, so that a power cut leaves no empty file under the target's
            name. Costs milliseconds; False is for what can be made again.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f'.{target.stem}-', suffix=target.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private; a result should be readable as any other new file is.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        if durable:
            with temporary.open('rb') as written:
                os.fsync(written.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(target: str | os.PathLike) -> Iterator[Path]:
    """A temporary folder beside the target; renamed to the target when the block ends without an error, else removed.

    Args:
        target: Folder to make; it may be there, but empty.

    Raises:
        FileExistsError: If there is something at the target.
    """
    target = Path(target)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise FileExistsError(f'{target} exists: name a new folder, or remove that one.')
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f'.{target.name}-') as parent:
        # A folder of its own has the permissions of any other new one, the temporary one is private.
        folder = Path(parent) / target.name
        folder.mkdir()
        yield folder
        os.replace(folder, target)


def write_json(target: str | os.PathLike, content: Any) -> None:
    """Write JSON atomically; numpy and tensor scalars become plain numbers."""
    with atomic_path(target) as path:
        path.write_text(json.dumps(content, indent=2, sort_keys=True, default=lambda value: value.item()) + '\n')
