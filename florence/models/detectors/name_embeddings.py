"""Embeddings of class names from a file: what a detector needs of a text tower.

The file is a dict with `names`, C texts in the order of the labels, and `embeds`, `(C, D)`, as `florence`'s text bank and
`tools/misc/write_name_embeddings.py` write it.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor


def read_name_embeddings(path: str | os.PathLike) -> tuple[tuple[str, ...], Tensor]:
    """Names and their L2-normalised embeddings, `(C, D)` fp32.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such file, or holds numbers that are not finite.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'no name embeddings at {path}: write them with tools/misc/write_name_embeddings.py.')
    expected = 'expected a dict with `names` and `embeds` (names, width)'
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
        names, embeds = tuple(content['names']), content['embeds'].float()
    except Exception as error:  # torch.load raises what the broken bytes happen to lead to
        raise ValueError(f'{path} holds no name embeddings, {expected}: {error}') from error
    if embeds.dim() != 2 or len(names) != len(embeds) or not len(names):
        raise ValueError(f'{path} has {len(names)} names and embeddings of shape {tuple(embeds.shape)}, {expected}.')
    if not embeds.isfinite().all():
        raise ValueError(f'{path}: the embedding of {names[int((~embeds.isfinite()).any(1).int().argmax())]!r} is not finite.')
    return names, F.normalize(embeds, dim=1)


def rows_of(wanted: Sequence[str], names: Sequence[str]) -> Tensor:
    """Place of each wanted name among the known ones, `(len(wanted),)` int64.

    Raises:
        KeyError: If a name is not known.
        ValueError: If no name is wanted, or one twice.
    """
    place = {name: number for number, name in enumerate(names)}
    absent = [name for name in wanted if name not in place]
    if absent:
        raise KeyError(f'no embedding of {", ".join(map(repr, absent[:5]))} among {len(names)} names ({len(absent)} missing).')
    if not wanted or len(set(wanted)) < len(wanted):
        raise ValueError(f'class names must be given once each, and at least one, got {len(wanted)}.')
    return torch.tensor([place[name] for name in wanted])
