"""CLIP text towers of open_clip (OpenAI's and UniCL's names, too) and Hugging Face <-> ours.

Ours: the tower lives under `text_tower.`, its projection is `text_proj.weight` (out, in), as in the two-tower
model. open_clip keeps the projection as (in, out) and the tower at the top, or under `text.` for custom text
towers; Hugging Face splits query, key and value and puts the tower under `text_model.` (`CLIPTextModel` of
transformers 5 without).

Every key of a text tower must have its place: a missing or unknown one is an error that names it. Keys of the
other parts of a two-tower checkpoint are left out, and the log says so.
"""

import re
from collections.abc import Iterator

import torch
from mmengine.logging import print_log
from torch import Tensor

StateDict = dict[str, Tensor]

TOWER, PROJECTION = 'text_tower.', 'text_proj.weight'
POSITIONS = 'positional_embedding'

# ours -> (open_clip, Hugging Face)
_TOP = {
    'token_embedding.weight': ('token_embedding.weight', 'embeddings.token_embedding.weight'),
    POSITIONS: ('positional_embedding', 'embeddings.position_embedding.weight'),
    'norm.weight': ('ln_final.weight', 'final_layer_norm.weight'),
    'norm.bias': ('ln_final.bias', 'final_layer_norm.bias'),
}
_BLOCK = {
    'norm1': ('ln_1', 'layer_norm1'),
    'attn.proj': ('attn.out_proj', 'self_attn.out_proj'),
    'norm2': ('ln_2', 'layer_norm2'),
    'mlp.fc1': ('mlp.c_fc', 'mlp.fc1'),
    'mlp.fc2': ('mlp.c_proj', 'mlp.fc2'),
}
_QKV = (('attn.in_proj_{}',), ('self_attn.q_proj.{}', 'self_attn.k_proj.{}', 'self_attn.v_proj.{}'))
_BLOCKS = ('transformer.resblocks.', 'encoder.layers.')

FORMATS = ('open_clip', 'hf')
_PREFIXES = (('text.', ''), ('text_model.', ''))
_PROJECTIONS = (('text_projection', 'text_projection.weight'), ('text_projection.weight',))
# Parts of whole CLIP models that are no text tower, and buffers that follow from the sizes.
_OTHER_PARTS = re.compile(r'(visual|vision_model|visual_projection)\.|logit_(scale|bias)$')
_BUFFERS = re.compile(r'(attn_mask|position_ids)$')


def clip_text_to_florence(
    state_dict: StateDict, *, fmt: str | None = None, context_length: int = 76
) -> tuple[StateDict, Tensor | None]:
    """State dict of `TextTransformer`, and the projection.

    Args:
        state_dict: Weights of a text tower or of a whole CLIP model.
        fmt: 'open_clip' or 'hf'; None finds out.
        context_length: Positions to keep, the first ones.

    Returns:
        Tower (keys without `text_tower.`) and projection `(D_out, D)`, None where there is none.

    Raises:
        ValueError: If the format is not recognised, a key is missing or unknown, or there are too few
            positions.
    """
    side, prefix = _recognise(state_dict, fmt)
    source, left_out = {}, 0
    projection = None
    for key, value in state_dict.items():
        name = key.removeprefix(prefix) if prefix in ('text.', 'text_model.') else key
        if name in _PROJECTIONS[side] and value.dim() == 2:
            # A bare parameter is (in, out), a Linear's weight is (out, in).
            projection = value.t().contiguous() if name == 'text_projection' else value
        elif _OTHER_PARTS.match(key):
            left_out += 1
        elif not _BUFFERS.search(name):
            source[name] = value
    _log_left_out(left_out)
    num_layers = _num_layers(source, _BLOCKS[side])
    tower = {}
    for ours, theirs in _pairs(num_layers, side):
        parts = [source.pop(name) for name in theirs if name in source]
        if len(parts) < len(theirs):
            raise ValueError(f'the checkpoint lacks {prefix + theirs[0]}: expected a CLIP text tower ({FORMATS[side]})')
        tower[ours] = parts[0] if len(parts) == 1 else torch.cat(parts)
    if source:
        raise ValueError(f'these keys have no place in a CLIP text tower ({FORMATS[side]}): {", ".join(sorted(source))}')
    tower[POSITIONS] = _first_positions(tower[POSITIONS], context_length)
    return tower, projection


def florence_to_clip_text(tower: StateDict, projection: Tensor | None = None, *, fmt: str = 'open_clip') -> StateDict:
    """The way back.

    Args:
        tower: State dict of `TextTransformer`.
        projection: `(D_out, D)`, or None.
        fmt: 'open_clip' (names of a plain CLIP) or 'hf' (`text_model.` and `text_projection.weight`).

    Raises:
        ValueError: If `fmt` is unknown, or a key is missing or unknown.
    """
    side = _side(fmt)
    prefix = ('', 'text_model.')[side]
    source = dict(tower)
    out = {}
    for ours, theirs in _pairs(_num_layers(source, 'blocks.'), side):
        if ours not in source:
            raise ValueError(f'the checkpoint lacks {TOWER}{ours}: expected a TextTransformer')
        for name, part in zip(theirs, source.pop(ours).chunk(len(theirs)), strict=True):
            out[prefix + name] = part.clone()
    if source:
        raise ValueError(f'these keys have no place in a TextTransformer: {", ".join(sorted(source))}')
    if projection is not None:
        out[_PROJECTIONS[side][0]] = projection.clone() if fmt == 'hf' else projection.t().contiguous()
    return out


def join_two_tower(tower: StateDict, projection: Tensor | None) -> StateDict:
    """Tower and projection under the names of the two-tower model."""
    joined = {TOWER + key: value for key, value in tower.items()}
    return joined if projection is None else joined | {PROJECTION: projection}


def split_two_tower(state_dict: StateDict) -> tuple[StateDict, Tensor | None]:
    """Text tower and projection of a two-tower model.

    Raises:
        ValueError: If there is no text tower.
    """
    tower = {key.removeprefix(TOWER): value for key, value in state_dict.items() if key.startswith(TOWER)}
    if not tower:
        raise ValueError(f'the checkpoint has no key under {TOWER}: expected a two-tower model of ours')
    projection = state_dict.get(PROJECTION)
    _log_left_out(len(state_dict) - len(tower) - (projection is not None))
    return tower, projection


def _pairs(num_layers: int, side: int) -> Iterator[tuple[str, list[str]]]:
    """Our key and the key, or keys to be joined along the rows, of the other side."""
    for ours, theirs in _TOP.items():
        yield ours, [theirs[side]]
    for layer in range(num_layers):
        for kind in ('weight', 'bias'):
            yield (
                f'blocks.{layer}.attn.qkv.{kind}',
                [f'{_BLOCKS[side]}{layer}.{n.format(kind)}' for n in _QKV[side]],
            )
            for ours, theirs in _BLOCK.items():
                yield f'blocks.{layer}.{ours}.{kind}', [f'{_BLOCKS[side]}{layer}.{theirs[side]}.{kind}']


def _recognise(state_dict: StateDict, fmt: str | None) -> tuple[int, str]:
    sides = range(len(FORMATS)) if fmt is None else [_side(fmt)]
    for side in sides:
        for prefix in _PREFIXES[side]:
            if prefix + _TOP['token_embedding.weight'][side] in state_dict:
                return side, prefix
    wanted = ' or '.join(_TOP['token_embedding.weight'][side] for side in sides)
    raise ValueError(
        f'no CLIP text tower in the checkpoint: expected a key {wanted}, found {", ".join(list(state_dict)[:3]) or "no key"}, ...'
    )


def _side(fmt: str) -> int:
    if fmt not in FORMATS:
        raise ValueError(f'unknown format {fmt!r}, expected one of {FORMATS}')
    return FORMATS.index(fmt)


def _num_layers(keys: StateDict, blocks: str) -> int:
    layers = {int(m[1]) for m in (re.match(re.escape(blocks) + r'(\d+)\.', key) for key in keys) if m}
    return max(layers) + 1 if layers else 0


def _first_positions(table: Tensor, context_length: int) -> Tensor:
    if len(table) < context_length:
        raise ValueError(f'the checkpoint has {len(table)} positions, context_length={context_length} were asked for')
    if len(table) > context_length:
        print_log(f'positions: the first {context_length} of {len(table)} kept', logger='current')
    return table[:context_length].clone()


def _log_left_out(count: int) -> None:
    if count:
        print_log(f'{count} key(s) of other parts than the text tower left out', logger='current')
