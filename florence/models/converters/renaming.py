"""What converters share: the part of a checkpoint that holds a tower, and names that must all have their place."""

import re
from collections.abc import Iterable, Mapping

from mmengine.logging import print_log
from torch import Tensor

StateDict = dict[str, Tensor]


def under_prefix(state_dict: Mapping[str, Tensor], prefix: str) -> StateDict:
    """What lies under a prefix, without it; the log says what is left out.

    Raises:
        ValueError: If nothing does.
    """
    tower = {key.removeprefix(prefix): value for key, value in state_dict.items() if key.startswith(prefix)}
    if not tower:
        raise ValueError(f'the checkpoint has no key under {prefix!r}; its first is {next(iter(state_dict), None)!r}')
    log_left_out([key for key in state_dict if not key.startswith(prefix)], f'outside {prefix}')
    return tower


def rename(source: Mapping[str, Tensor], names: Mapping[str, str], kind: str) -> StateDict:
    """The same weights under other names.

    Args:
        source: Weights.
        names: The new name of every one of them.
        kind: What they are said to be.

    Raises:
        ValueError: If a key is missing or unknown.
    """
    unknown = sorted(set(source) - set(names))
    missing = sorted(set(names) - set(source))
    if unknown or missing:
        raise ValueError(
            f'the checkpoint is not {kind}: no place for {", ".join(unknown) or "none"}; missing {", ".join(missing) or "none"}'
        )
    return {names[key]: value for key, value in source.items()}


def stage_depths(keys: Iterable[str], block: re.Pattern[str]) -> list[int]:
    """Blocks of each stage, as far as the keys tell; holes are found by the comparison of names.

    Args:
        keys: Of the checkpoint.
        block: Matches the start of a block's keys; its groups that take part are the stage and the block.
    """
    found = [tuple(int(number) for number in match.groups() if number) for match in map(block.match, keys) if match]
    num_stages = 1 + max((stage for stage, _ in found), default=-1)
    return [1 + max((index for at, index in found if at == stage), default=-1) for stage in range(num_stages)]


def log_left_out(keys: list[str], where: str) -> None:
    """Say which keys a conversion leaves out."""
    if keys:
        print_log(f'{len(keys)} key(s) {where} left out: {", ".join(keys[:4])}', logger='current')
