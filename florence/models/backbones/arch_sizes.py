"""The sizes of a tower of stages, from a name or from a dict."""

from collections.abc import Mapping
from typing import Any

PER_STAGE_KEYS = ('embed_dims', 'depths', 'num_heads')


def resolve_sizes(
    tower: str, arch: str | Mapping[str, Any], archs: Mapping[str, Mapping[str, Any]], optional: Mapping[str, Any]
) -> dict[str, Any]:
    """The sizes of an architecture, with the optional ones filled in.

    Args:
        tower: Name of the tower, for the messages.
        arch: Key of `archs`, or a dict of `embed_dims`, `depths`, `num_heads` (one value per stage), `window_size`, and some of
            the optional ones.
        archs: Sizes by name.
        optional: Optional sizes with their defaults.

    Raises:
        ValueError: If the name is unknown, a size is missing or unknown, or the stages do not agree in number.
    """
    if isinstance(arch, str):
        if arch not in archs:
            raise ValueError(f'{tower} has no arch {arch!r}: choose one of {", ".join(archs)}, or give a dict of sizes.')
        return {**optional, **archs[arch]}
    required = {*PER_STAGE_KEYS, 'window_size'}
    missing, unknown = required - set(arch), set(arch) - required - set(optional)
    if missing or unknown:
        raise ValueError(
            f'an arch dict needs {sorted(required)} and may have {sorted(optional)}: '
            f'missing {sorted(missing)}, unknown {sorted(unknown)}.'
        )
    lengths = {key: len(arch[key]) for key in PER_STAGE_KEYS}
    if len(set(lengths.values())) > 1:
        raise ValueError(f'an arch dict needs one value per stage in each of {PER_STAGE_KEYS}, got {lengths}.')
    return {**optional, **arch}
