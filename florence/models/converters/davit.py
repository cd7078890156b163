"""DaViT checkpoints <-> `DaViT`: Florence-2's image encoder as Microsoft and Hugging Face name it, ImageNet's as its authors name
it, and both as timm does.

Every key must have its place: a missing or unknown one is an error that names it. The head of a classifier and its norm are left
out, and the log says so. Norms of outputs, which detectors have (`out_norms`), are carried along where the names have a place for
them.
"""

import re
from collections.abc import Iterator

from florence.models.converters.renaming import StateDict, log_left_out, rename, stage_depths, under_prefix

FORMATS = ('microsoft', 'transformers', 'timm', 'imagenet')
_STEMS = {
    'microsoft': 'convs.0.proj',
    'transformers': 'convs.0.conv',
    'timm': 'stem.conv',
    'imagenet': 'patch_embeds.0.proj',
}
_BLOCKS = {
    'microsoft': 'blocks.{}.{}.',
    'transformers': 'blocks.{}.{}.',
    'timm': 'stages.{}.blocks.{}.',
    'imagenet': 'main_blocks.{}.{}.',
}
_HEAD = re.compile(r'(head|norms)\.')
_NORM = re.compile(r'norm\d\.(weight|bias)')
_KINDS = ('spatial', 'channel')
# Our parts of a block, and theirs; {} is 'window' or 'channel'.
_PARTS = {
    'microsoft': {
        'conv1': 'conv1.fn.dw',
        'norm1': '{}_attn.norm',
        'attn.qkv': '{}_attn.fn.qkv',
        'attn.proj': '{}_attn.fn.proj',
        'conv2': 'conv2.fn.dw',
        'norm2': 'ffn.norm',
        'mlp.fc1': 'ffn.fn.net.fc1',
        'mlp.fc2': 'ffn.fn.net.fc2',
    },
    'transformers': {
        'conv1': 'conv1',
        'norm1': 'norm1',
        'attn.qkv': '{}_attn.qkv',
        'attn.proj': '{}_attn.proj',
        'conv2': 'conv2',
        'norm2': 'norm2',
        'mlp.fc1': 'ffn.fc1',
        'mlp.fc2': 'ffn.fc2',
    },
    'timm': {
        'conv1': 'cpe1.proj',
        'norm1': 'norm1',
        'attn.qkv': 'attn.qkv',
        'attn.proj': 'attn.proj',
        'conv2': 'cpe2.proj',
        'norm2': 'norm2',
        'mlp.fc1': 'mlp.fc1',
        'mlp.fc2': 'mlp.fc2',
    },
}
_PARTS['imagenet'] = {**_PARTS['timm'], 'conv1': 'cpe.0.proj', 'conv2': 'cpe.1.proj'}


def davit_to_florence(state_dict: StateDict, *, prefix: str = '') -> StateDict:
    """State dict of `DaViT`.

    Args:
        state_dict: Weights under any of the names of `FORMATS`.
        prefix: Where the tower lies in the checkpoint, e.g. 'vision_tower.' in Microsoft's Florence-2.

    Raises:
        ValueError: If a key is missing or unknown.
    """
    source = under_prefix(state_dict, prefix)
    head = [key for key in source if _HEAD.match(key)]
    log_left_out(head, 'of the classification head')
    source = {key: value for key, value in source.items() if key not in head}
    fmt = next((fmt for fmt, stem in _STEMS.items() if f'{stem}.weight' in source), None)
    if fmt is None:
        raise ValueError(
            f'the checkpoint has no stem of a DaViT: expected a key among {[f"{x}.weight" for x in _STEMS.values()]}'
        )
    named = 'stages.0.blocks.0.spatial_block.norm1.weight' in source
    names = {theirs: ours for ours, theirs in _names(stage_depths(source, _pattern(_BLOCKS[fmt])), fmt, named)}
    return rename(source, names | _output_norms(source, fmt), f'a DaViT of {fmt}')


def florence_to_davit(state_dict: StateDict, *, fmt: str = 'microsoft', prefix: str = '') -> StateDict:
    """The way back; there is no classification head to give.

    Args:
        state_dict: Weights of `DaViT`.
        fmt: One of `FORMATS`.
        prefix: Where the tower lies in `state_dict`, e.g. 'backbone.'.

    Raises:
        ValueError: If `fmt` is unknown, or a key is missing or unknown.
    """
    if fmt not in FORMATS:
        raise ValueError(f'unknown format {fmt!r}, expected one of {FORMATS}')
    source = under_prefix(state_dict, prefix)
    down = source.get('stages.1.embed.proj.weight')
    # timm names the halves of a block in Florence-2's form, whose down-sampling overlaps, and counts them in ImageNet's.
    named = down is not None and down.shape[-1] == 3
    names = dict(_names(stage_depths(source, _pattern(_BLOCKS['timm'])), fmt, named))
    return rename(source, names | _output_norms(source, fmt), 'a DaViT')


def _names(depths: list[int], fmt: str, named: bool) -> Iterator[tuple[str, str]]:
    """Our key and theirs, for all parameters of a tower of these depths."""
    modules = []
    for stage, depth in enumerate(depths):
        stem = _STEMS[fmt]
        conv = f'stages.{stage}.downsample.conv' if fmt == 'timm' and stage else stem.replace('.0.', f'.{stage}.')
        modules += [
            (f'stages.{stage}.embed.proj', conv),
            (f'stages.{stage}.embed.norm', f'{conv.rpartition(".")[0]}.norm'),
        ]
        for block in range(depth):
            start = _BLOCKS[fmt].format(stage, block)
            for half, kind in enumerate(_KINDS):
                their_half = half if fmt == 'imagenet' or (fmt == 'timm' and not named) else f'{kind}_block'
                attention = 'window' if kind == 'spatial' else kind
                modules += [
                    (f'stages.{stage}.blocks.{block}.{kind}_block.{ours}', f'{start}{their_half}.{theirs.format(attention)}')
                    for ours, theirs in _PARTS[fmt].items()
                ]
    for ours, theirs in modules:
        for kind in ('weight', 'bias'):
            yield f'{ours}.{kind}', f'{theirs}.{kind}'


def _pattern(block: str) -> re.Pattern[str]:
    return re.compile(re.escape(block).replace(r'\{\}', r'(\d+)'))


def _output_norms(source: StateDict, fmt: str) -> dict[str, str]:
    """Norms of outputs, which only the authors' detectors have and name as we do."""
    return {key: key for key in source if _NORM.fullmatch(key)} if fmt == 'imagenet' else {}
