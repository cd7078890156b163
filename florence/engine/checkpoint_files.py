"""Checkpoint files: written whole or not at all, checked before a run goes on from one, found in a work dir.

A checkpoint is one `.pth` file that every strategy and plain torch can load. What a sharded strategy cannot put there (its ranks'
parts of the optimizer) lies in a folder beside it, `iter_1000.pth` and `iter_1000.shards/`. The folder is completed first and the
file appears last, by a rename, so a `.pth` that is there is complete.
"""

import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from florence.atomic_files import atomic_path

SHARDS_SUFFIX = '.shards'
POINTER = 'last_checkpoint'
FAILED_WRITE = ('PytorchStreamWriter', 'enforce fail', 'iostream error')  # in what torch's writer says
SHARDS_NAME = re.compile(rf'.*(iter|epoch)_\d+{re.escape(SHARDS_SUFFIX)}(\.partial)?')


def shards_folder(checkpoint: str | os.PathLike) -> Path:
    """Folder of the ranks' parts that belongs to a checkpoint file."""
    return Path(checkpoint).with_suffix(SHARDS_SUFFIX)


def save_checkpoint_file(checkpoint: dict[str, Any], path: str | os.PathLike) -> None:
    """Write a checkpoint atomically.

    Raises:
        ValueError: If a weight is NaN or infinite: a run could not go on from it.
        OSError: If it cannot be written, with the space that is left; the file that was there before is untouched.
    """
    bad = [name for name, value in checkpoint['state_dict'].items() if _is_not_finite(value)]
    if bad:
        raise ValueError(
            f'checkpoint {path} is not written: {len(bad)} weights are NaN or infinite, the first is {bad[0]}. Lower the '
            'learning rate or clip gradients, then continue from the checkpoint before with --resume.'
        )
    try:
        with atomic_path(path) as temporary:
            torch.save(checkpoint, temporary)
    except (OSError, RuntimeError) as error:
        # torch's writer reports a full disk as RuntimeError.
        if isinstance(error, RuntimeError) and not any(sign in str(error) for sign in FAILED_WRITE):
            raise
        raise OSError(f'checkpoint {path} could not be written, {describe_space(path)}: {error}') from error


def _is_not_finite(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point() and not bool(value.isfinite().all())


def describe_space(path: str | os.PathLike) -> str:
    """How much room the disk of a file has, in words, with what to do when there is little."""
    free = shutil.disk_usage(Path(path).absolute().parent).free
    return f'{free / 1e6:,.0f} MB are free there; free some space or set another work_dir, then continue with --resume'


def remove_checkpoint(path: str | os.PathLike) -> None:
    """Remove a checkpoint and its ranks' parts; the file goes first, so that no half of one is taken for whole."""
    Path(path).unlink(missing_ok=True)
    shutil.rmtree(shards_folder(path), ignore_errors=True)


def remove_leftovers(work_dir: str | os.PathLike) -> None:
    """Remove what a killed save left behind: temporary files, and ranks' parts without their checkpoint."""
    for temporary in Path(work_dir).glob('.*-*.pth'):
        temporary.unlink(missing_ok=True)
    for folder in Path(work_dir).glob(f'*{SHARDS_SUFFIX}*'):
        vouched_for = folder.suffix == SHARDS_SUFFIX and folder.with_suffix('.pth').is_file()
        if folder.is_dir() and SHARDS_NAME.fullmatch(folder.name) and not vouched_for:
            shutil.rmtree(folder, ignore_errors=True)


def problem_of(path: str | os.PathLike) -> str | None:
    """What is wrong with a checkpoint file, None where nothing is.

    The checksums that the format holds are compared: torch itself does not do it when it loads.
    """
    path = Path(path)
    if not path.is_file():
        return 'is missing'
    if path.stat().st_size == 0:
        return 'is empty'
    if not zipfile.is_zipfile(path):
        return 'is truncated or no checkpoint'
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        return f'cannot be read ({error})'
    return f'is damaged in {damaged}' if damaged else None


def problem_of_shards(checkpoint: str | os.PathLike) -> str | None:
    """What is wrong with the ranks' parts that lie beside a checkpoint, None where nothing is or none are there."""
    for part in sorted(shards_folder(checkpoint).glob('*.pt')):
        problem = problem_of(part)
        if problem is not None:
            return f"cannot be resumed, of its ranks' parts {part.name} {problem}"
    return None


def checkpoints_in(work_dir: str | os.PathLike) -> list[Path]:
    """Checkpoints of a run, the one written last first; of those written at the same time, the one with the higher number.

    Not by number alone: a run that went back to an earlier checkpoint is to go on from its own, and a run by epochs that was told
    to stop has one by iterations too.
    """
    found = [path for path in Path(work_dir).glob('*.pth') if re.fullmatch(r'(iter|epoch)_\d+', path.stem)]
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, int(path.stem.rpartition('_')[2])), reverse=True)


def usable_checkpoints(work_dir: str | os.PathLike, report: Any) -> Iterator[Path]:
    """Checkpoints of a run from the newest on, without the damaged ones, which are reported.

    Args:
        work_dir: Folder of the run.
        report: Called with one sentence per damaged file.
    """
    for path in checkpoints_in(work_dir):
        problem = problem_of(path) or problem_of_shards(path)
        if problem is None:
            yield path
        else:
            report(f'checkpoint {path} {problem}: it is left where it is, and the one before it is used')


def latest_checkpoint(work_dir: str | os.PathLike, report: Any) -> Path | None:
    """Newest usable checkpoint of a work dir, None where there is none."""
    return next(usable_checkpoints(work_dir, report), None)


def write_pointer(work_dir: str | os.PathLike, checkpoint: str | os.PathLike) -> None:
    """Note the newest whole checkpoint in `last_checkpoint`, the file that other OpenMMLab tools read."""
    with atomic_path(Path(work_dir) / POINTER) as temporary:
        temporary.write_text(str(checkpoint))


def is_work_dir(source: str) -> bool:
    """Whether a path is the folder of a run, not a checkpoint file, a URL or a folder of sharded weights."""
    return (
        '://' not in source
        and Path(source).is_dir()
        and not any(Path(source).glob('*_model_states.pt'))
        and not (Path(source) / 'latest').is_file()
    )
