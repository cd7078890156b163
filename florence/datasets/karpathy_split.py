"""Which images belong to a split of Karpathy and Fei-Fei (arXiv 1412.2306), the split of all retrieval
tables.

The files `dataset_coco.json` and `dataset_flickr30k.json` list every image with its split.
"""

import json
from collections.abc import Sequence
from pathlib import Path


def karpathy_file_names(path: str, split: str | Sequence[str]) -> set[str]:
    """File names of the images of one or more splits.

    Args:
        path: The split file.
        split: `'train'`, `'val'`, `'test'`, for COCO also `'restval'`; or several of them.

    Raises:
        FileNotFoundError: If there is no such file.
        KeyError: If the file has no image of that split.
        ValueError: If the file is not a split file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'no split file at {path}')
    try:
        images = json.loads(Path(path).read_text(encoding='utf-8'))['images']
        split_of = {image['filename']: image['split'] for image in images}
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f'{path} is not a Karpathy split file: {error!r}') from error
    wanted = {split} if isinstance(split, str) else set(split)
    known = set(split_of.values())
    if not wanted <= known:
        raise KeyError(f'{path} has no split {", ".join(sorted(wanted - known))}; found {", ".join(sorted(known))}')
    return {name for name, its_split in split_of.items() if its_split in wanted}
