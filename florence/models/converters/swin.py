"""Swin checkpoints of Microsoft's repository and of timm <-> `CoSwin(embed='patch')`; Video Swin checkpoints of Microsoft's
repository and of mmaction2 <-> `VideoCoSwin(embed='patch')`.

The names differ in where a stage's downsampling lies: Microsoft's code and mmaction2 keep it at the end of the stage before, timm
and ours at the start of the stage itself; mmaction2 numbers the last norm. A video tower has the names of an image tower, and a
stem with a time axis. Every key must have its place: a missing or unknown one is an error that names it. Classification heads are
left out, and the log says so; index buffers follow from the sizes.
"""

import re
from collections.abc import Iterator

from mmengine.logging import print_log
from torch import Tensor

StateDict = dict[str, Tensor]

FORMATS = ('microsoft', 'timm', 'mmaction')
_BLOCK_PARTS = ('norm1', 'attn.qkv', 'attn.proj', 'norm2', 'mlp.fc1', 'mlp.fc2')
_TABLE = 'attn.relative_position_bias_table'
_BUFFERS = re.compile(r'\.(relative_position_index|attn_mask)$')
_HEAD = re.compile(r'head\.')
_BLOCK = re.compile(r'layers\.(\d+)\.blocks\.(\d+)\.|stages\.(\d+)\.blocks\.(\d+)\.')


def swin_to_florence(state_dict: StateDict, *, prefix: str = '') -> StateDict:
    """State dict of `CoSwin(embed='patch')`, or of `VideoCoSwin(embed='patch')`, with one output, the last.

    Args:
        state_dict: Official Swin or Video Swin, timm or mmaction2 weights.
        prefix: Where the tower lies in the checkpoint, e.g. 'image_encoder.' for UniCL's, 'backbone.' for Video Swin's.

    Raises:
        ValueError: If a key is missing or unknown.
    """
    source = _tower(state_dict, prefix)
    head = [key for key in source if _HEAD.match(key)]
    _log_left_out(head, 'of the classification head')
    source = {key: value for key, value in source.items() if key not in head and not _BUFFERS.search(key)}
    depths = _depths(source)
    fmt = 'microsoft' if 'layers.0.downsample.norm.weight' in source else 'timm'
    if fmt == 'microsoft' and f'norm{len(depths) - 1}.weight' in source:
        fmt = 'mmaction'
    return _rename(source, {theirs: ours for ours, theirs in _pairs(depths, fmt)}, 'a Swin transformer')


def florence_to_swin(state_dict: StateDict, *, fmt: str = 'microsoft', prefix: str = '') -> StateDict:
    """The way back; there is no classification head to give.

    Args:
        state_dict: Weights of `CoSwin(embed='patch')` or `VideoCoSwin(embed='patch')`.
        fmt: 'microsoft', 'timm' (image towers only) or 'mmaction'.
        prefix: Where the tower lies in `state_dict`, e.g. 'backbone.'.

    Raises:
        ValueError: If `fmt` is unknown, or has no such tower, or a key is missing or unknown.
    """
    if fmt not in FORMATS:
        raise ValueError(f'unknown format {fmt!r}, expected one of {FORMATS}')
    source = _tower(state_dict, prefix)
    stem = source.get('stages.0.embed.proj.weight')
    if fmt == 'timm' and stem is not None and stem.ndim == 5:
        raise ValueError("timm has no Video Swin: write a video tower in the format 'microsoft' or 'mmaction'")
    return _rename(source, dict(_pairs(_depths(source), fmt)), "a CoSwin or VideoCoSwin with embed='patch'")


def _pairs(depths: list[int], fmt: str) -> Iterator[tuple[str, str]]:
    """Our key and theirs, for all parameters of a Swin of these depths."""
    last = len(depths) - 1
    modules = [
        ('stages.0.embed.proj', 'patch_embed.proj'),
        ('stages.0.embed.norm', 'patch_embed.norm'),
        (f'norm{last}', f'norm{last}' if fmt == 'mmaction' else 'norm'),
    ]
    for stage, depth in enumerate(depths):
        for block in range(depth):
            ours, theirs = f'stages.{stage}.blocks.{block}', f'layers.{stage}.blocks.{block}'
            modules += [(f'{ours}.{part}', f'{theirs}.{part}') for part in _BLOCK_PARTS]
            yield f'{ours}.{_TABLE}', f'{theirs}.{_TABLE}'
        if stage:
            ours = f'stages.{stage}.embed'
            theirs = f'layers.{stage if fmt == "timm" else stage - 1}.downsample'
            modules.append((f'{ours}.norm', f'{theirs}.norm'))
            yield f'{ours}.reduction.weight', f'{theirs}.reduction.weight'
    for ours, theirs in modules:
        for kind in ('weight', 'bias'):
            yield f'{ours}.{kind}', f'{theirs}.{kind}'


def _rename(source: StateDict, names: dict[str, str], kind: str) -> StateDict:
    unknown = sorted(set(source) - set(names))
    missing = sorted(set(names) - set(source))
    if unknown or missing:
        raise ValueError(
            f'the checkpoint is not {kind}: no place for {", ".join(unknown) or "none"}; missing {", ".join(missing) or "none"}'
        )
    return {names[key]: value for key, value in source.items()}


def _depths(source: StateDict) -> list[int]:
    """Blocks of each stage, as far as the keys tell; holes are found by the comparison of names."""
    found = [tuple(int(number) for number in match.groups() if number) for match in map(_BLOCK.match, source) if match]
    if not found:
        raise ValueError('the checkpoint has no blocks of a Swin transformer: expected keys like layers.0.blocks.0.*')
    num_stages = 1 + max(stage for stage, _ in found)
    return [1 + max((block for at, block in found if at == stage), default=-1) for stage in range(num_stages)]


def _tower(state_dict: StateDict, prefix: str) -> StateDict:
    tower = {key.removeprefix(prefix): value for key, value in state_dict.items() if key.startswith(prefix)}
    if not tower:
        raise ValueError(f'the checkpoint has no key under {prefix!r}; its first is {next(iter(state_dict), None)!r}')
    _log_left_out([key for key in state_dict if not key.startswith(prefix)], f'outside {prefix}')
    return tower


def _log_left_out(keys: list[str], where: str) -> None:
    if keys:
        print_log(f'{len(keys)} key(s) {where} left out: {", ".join(keys[:4])}', logger='current')
