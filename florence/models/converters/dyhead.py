"""Dynamic Head weights of microsoft/DynamicHead and of mmdet's neck <-> `DyHead(offset_mode='official')`.

Microsoft's deformable convolutions have biases, as `DyHead` by default, mmdet's have none: `DyHead(dcn_bias=False)`. Every key
under the prefix must have its place: a missing or unknown one is an error that names it; what lies elsewhere, the rest of a
detector, is left out, and the log says so.
"""

import re
from collections.abc import Iterator

from mmengine.logging import print_log
from torch import Tensor

StateDict = dict[str, Tensor]

FORMATS = ('microsoft', 'mmdet')
_TOWERS = {'microsoft': 'dyhead_tower', 'mmdet': 'dyhead_blocks'}
_PARTS = {
    'microsoft': {
        'coarser.conv': 'DyConv.0.conv',
        'coarser.norm': 'DyConv.0.bn',
        'own.conv': 'DyConv.1.conv',
        'own.norm': 'DyConv.1.bn',
        'finer.conv': 'DyConv.2.conv',
        'finer.norm': 'DyConv.2.bn',
        'offset': 'offset',
        'scale_gate.linear': 'AttnConv.1',
        'task_attention.squeeze': 'relu.fc.0',
        'task_attention.excite': 'relu.fc.2',
    },
    'mmdet': {
        'coarser.conv': 'spatial_conv_high.conv',
        'coarser.norm': 'spatial_conv_high.norm',
        'own.conv': 'spatial_conv_mid.conv',
        'own.norm': 'spatial_conv_mid.norm',
        'finer.conv': 'spatial_conv_low.conv',
        'finer.norm': 'spatial_conv_low.norm',
        'offset': 'spatial_conv_offset',
        'scale_gate.linear': 'scale_attn_module.1',
        'task_attention.squeeze': 'task_attn_module.conv1.conv',
        'task_attention.excite': 'task_attn_module.conv2.conv',
    },
}
# Linear layers of ours that are 1 x 1 convolutions there.
_POINTWISE = {
    'microsoft': {'scale_gate.linear'},
    'mmdet': {'scale_gate.linear', 'task_attention.squeeze', 'task_attention.excite'},
}
_WITHOUT_BIAS = {'microsoft': set(), 'mmdet': {'coarser.conv', 'own.conv', 'finer.conv'}}


def dyhead_to_florence(state_dict: StateDict, *, prefix: str | None = None) -> StateDict:
    """State dict of `DyHead`, with `dcn_bias=True` from Microsoft's weights and `dcn_bias=False` from mmdet's.

    Args:
        state_dict: Weights of a detector or of the head alone.
        prefix: What stands before 'dyhead_tower.' or 'dyhead_blocks.' in its keys, e.g. 'backbone.' in Microsoft's detectors,
            'neck.1.' in mmdet's; None finds it.

    Raises:
        ValueError: If a key is missing or unknown, or there is no Dynamic Head or more than one.
    """
    fmt, prefix = _find(state_dict, prefix)
    source = _under(state_dict, f'{prefix}{_TOWERS[fmt]}.', prefix)
    names = {theirs: (ours, pointwise) for ours, theirs, pointwise in _names(_depth(source, _TOWERS[fmt]), fmt)}
    _check(source, set(names), f'a Dynamic Head of {fmt}')
    return {names[key][0]: value.flatten(1) if names[key][1] and value.ndim == 4 else value for key, value in source.items()}


def florence_to_dyhead(state_dict: StateDict, *, fmt: str = 'microsoft', prefix: str = '') -> StateDict:
    """The way back.

    Args:
        state_dict: Weights of `DyHead`.
        fmt: 'microsoft' or 'mmdet'.
        prefix: Where the head lies in `state_dict`, e.g. 'neck.1.'.

    Raises:
        ValueError: If `fmt` is unknown, or a key is missing or unknown.
    """
    if fmt not in FORMATS:
        raise ValueError(f'unknown format {fmt!r}, expected one of {FORMATS}')
    source = _under(state_dict, f'{prefix}blocks.', prefix)
    names = {ours: (theirs, pointwise) for ours, theirs, pointwise in _names(_depth(source, 'blocks'), fmt)}
    _check(source, set(names), f'a DyHead with dcn_bias={fmt == "microsoft"}')
    return {names[key][0]: value[:, :, None, None] if names[key][1] else value for key, value in source.items()}


def _names(num_blocks: int, fmt: str) -> Iterator[tuple[str, str, bool]]:
    """Our key, theirs, and whether the weight is a 1 x 1 convolution there, for all parameters."""
    for block in range(num_blocks):
        for ours, theirs in _PARTS[fmt].items():
            for kind in ('weight', 'bias'):
                if kind == 'bias' and ours in _WITHOUT_BIAS[fmt]:
                    continue
                pointwise = kind == 'weight' and ours in _POINTWISE[fmt]
                yield f'blocks.{block}.{ours}.{kind}', f'{_TOWERS[fmt]}.{block}.{theirs}.{kind}', pointwise


def _find(state_dict: StateDict, prefix: str | None) -> tuple[str, str]:
    """Format and prefix of the only head."""
    pattern = re.compile(r'(.*?)(dyhead_tower|dyhead_blocks)\.\d+\.')
    matches = {match.groups() for match in map(pattern.match, state_dict) if match and prefix in (None, match[1])}
    if len(matches) != 1:
        found = ', '.join(sorted(''.join(match) for match in matches)) or 'none'
        where = '' if prefix is None else f' under {prefix!r}'
        raise ValueError(f'expected one Dynamic Head{where}, with keys like dyhead_tower.0.* or dyhead_blocks.0.*; found {found}')
    ((found_prefix, tower),) = matches
    return next(fmt for fmt, name in _TOWERS.items() if name == tower), found_prefix


def _under(state_dict: StateDict, start: str, prefix: str) -> StateDict:
    source = {key.removeprefix(prefix): value for key, value in state_dict.items() if key.startswith(start)}
    if not source:
        raise ValueError(f'the checkpoint has no key that starts with {start!r}; its first is {next(iter(state_dict), None)!r}')
    others = [key for key in state_dict if not key.startswith(start)]
    if others:
        print_log(f'{len(others)} key(s) outside {start} left out: {", ".join(others[:4])}', logger='current')
    return source


def _depth(source: StateDict, tower: str) -> int:
    """Blocks, as far as the keys tell; holes are found by the comparison of names."""
    numbers = [key.removeprefix(f'{tower}.').split('.')[0] for key in source]
    return 1 + max((int(number) for number in numbers if number.isdigit()), default=-1)


def _check(source: StateDict, names: set[str], kind: str) -> None:
    unknown, missing = sorted(set(source) - names), sorted(names - set(source))
    if unknown or missing:
        raise ValueError(
            f'the checkpoint is not {kind}: no place for {", ".join(unknown) or "none"}; missing {", ".join(missing) or "none"}'
        )
