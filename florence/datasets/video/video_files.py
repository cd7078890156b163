"""Files that an annotation names and the disk does not hold: named, and refused or left out."""

import logging
from collections.abc import Sequence
from pathlib import Path

from mmengine.logging import print_log

ON_MISSING = ('error', 'leave_out')
MAX_NAMED = 5


def video_folder(data_prefix: dict | None) -> dict:
    """The folder of the videos under the name that `PairDataset` gives it.

    Args:
        data_prefix: `dict(video=...)`, as in mmaction2; None = `data_root` itself.

    Raises:
        ValueError: If it has other entries.
    """
    prefix = {'video': ''} if data_prefix is None else dict(data_prefix)
    if set(prefix) != {'video'}:
        raise ValueError(f"data_prefix names the folder of the videos: dict(video='...'), not {prefix}")
    return {'img_path': prefix['video']}


def present_files(samples: Sequence[dict], on_missing: str, name: str) -> list[dict]:
    """Samples whose file is there.

    Args:
        samples: Annotations with `filename`.
        on_missing: `'error'` refuses a set with a missing file, `'leave_out'` says how many are missing and goes on.
        name: Name of the set, for messages.

    Raises:
        FileNotFoundError: If a file is missing and `on_missing` is `'error'`, or none is there.
        ValueError: If `on_missing` is unknown.
    """
    if on_missing not in ON_MISSING:
        raise ValueError(f'{name}: on_missing is one of {", ".join(ON_MISSING)}, not {on_missing!r}')
    missing = [sample['filename'] for sample in samples if not Path(sample['filename']).is_file()]
    if not missing:
        return list(samples)
    some = ', '.join(missing[:MAX_NAMED]) + (', ...' if len(missing) > MAX_NAMED else '')
    message = f'{name}: {len(missing)} of {len(samples)} videos are missing: {some}'
    if on_missing == 'error' or len(missing) == len(samples):
        raise FileNotFoundError(f"{message}; set on_missing='leave_out' to go on without them")
    print_log(f'{message}; left out', logger='current', level=logging.WARNING)
    gone = set(missing)
    return [sample for sample in samples if sample['filename'] not in gone]
