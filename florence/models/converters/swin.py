"""Swin checkpoints of Microsoft's repository and of timm <-> `CoSwin(embed='patch')`; Video Swin checkpoints of Microsoft's
repository and of mmaction2 <-> `VideoCoSwin(embed='patch')`.

The names differ in where a stage's downsampling lies: Microsoft's code and mmaction2 keep it at the end of the stage before, timm
and ours at the start of the stage itself; mmaction2 numbers the last norm. A video tower has the names of an image tower, and a
stem with a time axis. Every key must have its place: a missing or unknown one is an error that names it. Classification heads are
left out, and the log says so; index buffers follow from the sizes.
"""

import re
from collections.abc import Iterator

from florence.models.converters.renaming import StateDict, log_left_out, rename, stage_depths, under_prefix

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
    source = under_prefix(state_dict, prefix)
    head = [key for key in source if _HEAD.match(key)]
    log_left_out(head, 'of the classification head')
    source = {key: value for key, value in source.items() if key not in head and not _BUFFERS.search(key)}
    depths = _depths(source)
    fmt = 'microsoft' if 'layers.0.downsample.norm.weight' in source else 'timm'
    if fmt == 'microsoft' and f'norm{len(depths) - 1}.weight' in source:
        fmt = 'mmaction'
    return rename(source, {theirs: ours for ours, theirs in _pairs(depths, fmt)}, 'a Swin transformer')


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
    source = under_prefix(state_dict, prefix)
    stem = source.get('stages.0.embed.proj.weight')
    if fmt == 'timm' and stem is not None and stem.ndim == 5:
        raise ValueError("timm has no Video Swin: write a video tower in the format 'microsoft' or 'mmaction'")
    return rename(source, dict(_pairs(_depths(source), fmt)), "a CoSwin or VideoCoSwin with embed='patch'")


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


def _depths(source: StateDict) -> list[int]:
    depths = stage_depths(source, _BLOCK)
    if not depths:
        raise ValueError('the checkpoint has no blocks of a Swin transformer: expected keys like layers.0.blocks.0.*')
    return depths
