"""Checkpoints of Florence-2 <-> `Florence2`: Microsoft's release and the native class of `transformers`.

Ours keeps Microsoft's grouping (vision tower, projector, language model). The table of words is stored once, theirs store up to
four equal copies, any of which may be missing; ours has a row per token, theirs may have more (`transformers` pads to a multiple
of 64). Every other key must have its place: a missing or unknown one is an error that names it.
"""

import json
import re
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from florence.models.converters.davit import davit_to_florence, florence_to_davit
from florence.models.converters.renaming import StateDict, log_left_out, rename
from florence.models.florence2.lora import is_adapter

FORMATS = ('microsoft', 'transformers')
EXTRA_STATE = '_extra_state'
TOKENIZER = f'tokenizer.{EXTRA_STATE}'
WORDS, VISION = 'language_model.model.shared.weight', 'vision_tower.'
_LANGUAGE, _PROJECTION = 'language_model.model.', 'image_projection'
_THEIR_VISION = {'microsoft': 'vision_tower.', 'transformers': 'model.vision_tower.'}
_THEIR_LANGUAGE = {'microsoft': 'language_model.model.', 'transformers': 'model.language_model.'}
_THEIR_HEAD = {'microsoft': 'language_model.lm_head.weight', 'transformers': 'lm_head.weight'}
_THEIR_BIAS = 'language_model.final_logits_bias'
# Ours, and theirs.
_PROJECTOR = {
    'microsoft': {
        'projector.image_projection.weight': _PROJECTION,
        'projector.image_proj_norm.weight': 'image_proj_norm.weight',
        'projector.image_proj_norm.bias': 'image_proj_norm.bias',
        'projector.image_pos_embed.row_embeddings.weight': 'image_pos_embed.row_embeddings.weight',
        'projector.image_pos_embed.column_embeddings.weight': 'image_pos_embed.column_embeddings.weight',
        'projector.visual_temporal_embed.pos_idx_to_embed': 'visual_temporal_embed.pos_idx_to_embed',
    },
}
_PROJECTOR['transformers'] = {
    ours: 'model.multi_modal_projector.' + (ours.removeprefix('projector.').replace('image_pos_embed', 'image_position_embed'))
    for ours in _PROJECTOR['microsoft']
}
_LAYER = ('self_attn.k_proj', 'self_attn.v_proj', 'self_attn.q_proj', 'self_attn.out_proj', 'self_attn_layer_norm', 'fc1', 'fc2',
          'final_layer_norm')  # fmt: skip
_CROSS = tuple(part.replace('self_attn', 'encoder_attn') for part in _LAYER if part.startswith('self_attn'))
_SIDES = {'encoder': _LAYER, 'decoder': _LAYER + _CROSS}


def florence2_to_florence(
    state_dict: StateDict, vocab_size: int, *, extra_states: Mapping[str, Tensor] | None = None
) -> StateDict:
    """State dict of `Florence2`.

    Args:
        state_dict: Microsoft's weights, or those of `transformers`; their keys tell.
        vocab_size: Rows of our table: the tokens of the tokenizer. Further rows of theirs belong to no token.
        extra_states: Entries of ours that theirs do not store: `tokenizer._extra_state`.

    Raises:
        ValueError: If a key is missing or unknown, copies of the table differ, there are fewer tokens than `vocab_size`, or the
            outputs have a bias.
    """
    fmt = 'transformers' if any(key.startswith('model.') for key in state_dict) else 'microsoft'
    source = dict(state_dict)
    words = _pop_words(source, fmt)
    if len(words) < vocab_size:
        raise ValueError(f'the checkpoint knows {len(words)} tokens, the tokenizer has {vocab_size}: give it its own vocabulary.')
    bias = source.pop(_THEIR_BIAS, None)
    if bias is not None and bias.any():
        raise ValueError(f'the checkpoint has a bias of the outputs ({_THEIR_BIAS}), which Florence-2 has not.')
    vision, rest = _split(source, _THEIR_VISION[fmt])
    result = rename(rest, {theirs: ours for ours, theirs in _names(rest, fmt, theirs=True)}, f'a Florence-2 of {fmt}')
    if fmt == 'microsoft':
        result['projector.image_projection.weight'] = result['projector.image_projection.weight'].t()
    tower = {VISION + key: value for key, value in davit_to_florence(vision).items()}
    return {**tower, **result, WORDS: words[:vocab_size], **(extra_states or {})}


def florence_to_florence2(state_dict: StateDict, fmt: str, *, num_rows: int | None = None) -> StateDict:
    """The way back.

    Args:
        state_dict: Weights of a `Florence2`.
        fmt: One of `FORMATS`.
        num_rows: Rows of their table; None: as many as ours. Further ones get the mean row, whose logit is never the largest.
            `transformers` has `<image>` before tokens that a user adds: ours get their rows after it.

    Raises:
        ValueError: If the format is unknown, a key is missing or unknown, `num_rows` is too small, or there are LoRA adapters.
    """
    if fmt not in FORMATS:
        raise ValueError(f'unknown format {fmt!r}, expected one of {FORMATS}.')
    if any(map(is_adapter, state_dict)):
        raise ValueError('the checkpoint has LoRA adapters: merge them first, with tools/model_converters/merge_lora.py.')
    source = {key: value for key, value in state_dict.items() if not key.endswith(EXTRA_STATE)}
    log_left_out(sorted(set(state_dict) - set(source)), 'of the tokenizer')
    if WORDS not in source:
        raise ValueError(f'the checkpoint is not a Florence2: {WORDS} is missing.')
    words = source.pop(WORDS)
    num_new = _num_new_tokens(state_dict)
    if fmt == 'transformers' and num_new:
        known = len(words) - num_new
        words = torch.cat([_with_rows(words[:known], known + 1), words[known:]])
    words = _with_rows(words, num_rows)
    vision, rest = _split(source, VISION)
    result = rename(rest, dict(_names(rest, fmt, theirs=False)), 'a Florence2')
    result |= {_THEIR_VISION[fmt] + key: value for key, value in florence_to_davit(vision, fmt=fmt).items()}
    result[_tables(fmt)[0]] = words  # `transformers` stores no copies
    if fmt == 'microsoft':
        result[_PROJECTION] = result[_PROJECTION].t()
        result |= dict.fromkeys(_tables(fmt), words) | {_THEIR_BIAS: words.new_zeros(1, len(words))}
    return result


def _names(keys: StateDict, fmt: str, *, theirs: bool) -> Iterator[tuple[str, str]]:
    """Our name and theirs, of all but the tower and the table of words; `keys` tell how many layers there are."""
    yield from _PROJECTOR[fmt].items()
    start = _THEIR_LANGUAGE[fmt] if theirs else _LANGUAGE
    for side, parts in _SIDES.items():
        pattern = re.compile(re.escape(f'{start}{side}.layers.') + r'(\d+)\.')
        num_layers = 1 + max((int(match[1]) for match in map(pattern.match, keys) if match), default=-1)
        modules = [f'layers.{layer}.{part}' for layer in range(num_layers) for part in parts] + ['layernorm_embedding']
        names = [f'{module}.{kind}' for module in modules for kind in ('weight', 'bias')]
        for name in [*names, 'embed_positions.weight']:
            yield f'{_LANGUAGE}{side}.{name}', f'{_THEIR_LANGUAGE[fmt]}{side}.{name}'


def _tables(fmt: str) -> list[str]:
    """Where theirs store the table of words, its home first."""
    start = _THEIR_LANGUAGE[fmt]
    return [f'{start}shared.weight', *(f'{start}{side}.embed_tokens.weight' for side in _SIDES), _THEIR_HEAD[fmt]]


def _pop_words(source: StateDict, fmt: str) -> Tensor:
    found = {name: source.pop(name) for name in _tables(fmt) if name in source}
    if not found:
        raise ValueError(f'the checkpoint has no table of words: expected one of {", ".join(_tables(fmt))}.')
    first, *others = found
    for name in others:
        if not torch.equal(found[first], found[name]):
            raise ValueError(f'{first} and {name} differ: Florence-2 has one table for inputs and outputs.')
    return found[first]


def _num_new_tokens(state_dict: StateDict) -> int:
    """Tokens that a user added to the release's."""
    state = state_dict.get(TOKENIZER)
    return 0 if state is None else len(json.loads(bytes(state.tolist())).get('new_tokens', ()))


def _with_rows(words: Tensor, num_rows: int | None) -> Tensor:
    missing = (num_rows or len(words)) - len(words)
    if missing < 0:
        raise ValueError(f'num_rows={num_rows} is less than the {len(words)} tokens of the model.')
    mean = words.float().mean(0, keepdim=True).to(words.dtype)
    return torch.cat([words, mean.expand(missing, -1)])


def _split(source: StateDict, prefix: str) -> tuple[StateDict, StateDict]:
    """What lies under a prefix, without it, and the rest."""
    inside = {key.removeprefix(prefix): value for key, value in source.items() if key.startswith(prefix)}
    return inside, {key: value for key, value in source.items() if not key.startswith(prefix)}
