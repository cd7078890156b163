"""Checkpoints of METER's release with a Swin image tower (arXiv 2111.02387) <-> `METERModel` with `CoSwin(embed='patch')`.

The text tower is RoBERTa under the names of `transformers`. Keys and values of the fusion's attention are two matrices there and
one here. Every key must have its place: a missing or unknown one is an error that names it. Left out, and said in the log:
RoBERTa's own pooler, which METER never calls, the ranking output, which is a row of its matching head, and index buffers. Their
release stores neither its vocabulary nor its answers; ours does, so the way here takes them from outside (`extra_states`).
"""

import re
from collections.abc import Iterator, Mapping

import torch
from mmengine.logging import print_log
from torch import Tensor

from florence.models.converters.swin import florence_to_swin, swin_to_florence

StateDict = dict[str, Tensor]

IMAGE, TEXT = ('encoder.image_tower.', 'vit_model.'), ('encoder.text_tower.model.', 'text_transformer.')
EXTRA_STATE = '_extra_state'
_CLASSIFIER = [(f'head.classifier.{i}', i) for i in (0, 1, 3)]
# Task -> modules of its head, ours and theirs.
HEADS: dict[str, list[tuple[str, str]]] = {
    'pretrain': [
        ('head.mlm.dense', 'mlm_score.transform.dense'),
        ('head.mlm.norm', 'mlm_score.transform.LayerNorm'),
        ('head.itm.fc', 'itm_score.fc'),
    ],
    **{task: [(ours, f'{task}_classifier.{i}') for ours, i in _CLASSIFIER] for task in ('vqa', 'nlvr2', 'snli')},
}
_PLAIN_OF_PRETRAIN = [('head.mlm.decoder.weight', 'mlm_score.decoder.weight'), ('head.mlm.bias', 'mlm_score.bias')]
_ENCODER = [
    ('encoder.text_proj', 'cross_modal_text_transform'),
    ('encoder.image_proj.0', 'cross_modal_image_transform'),
    ('encoder.text_pooler', 'cross_modal_text_pooler.dense'),
    ('encoder.image_pooler', 'cross_modal_image_pooler.dense'),
]
_ATTENTIONS = (('self', 'attention'), ('cross', 'crossattention'))
_LEFT_OUT = re.compile(r'text_transformer\.(pooler\.|embeddings\.position_ids$)|rank_output\.')
_BERT_LAYER = (
    'attention.self.query', 'attention.self.key', 'attention.self.value', 'attention.output.dense', 'attention.output.LayerNorm',
    'intermediate.dense', 'output.dense', 'output.LayerNorm',
)  # fmt: skip


def meter_to_florence(state_dict: StateDict, *, extra_states: Mapping[str, Tensor] | None = None) -> StateDict:
    """State dict of `METERModel` whose head is that of the checkpoint's task.

    Args:
        state_dict: METER's weights.
        extra_states: Entries of ours that METER does not store: `encoder.tokenizer._extra_state` and, for VQA,
            `head.answers._extra_state`.

    Raises:
        ValueError: If a key is missing or unknown, or the image tower is no Swin.
    """
    left_out = [key for key in state_dict if _LEFT_OUT.match(key)]
    _log_left_out(left_out)
    source = {key: value for key, value in state_dict.items() if key not in left_out}
    image = _under(source, IMAGE[1])
    if any(key.startswith('visual.') for key in image):
        raise ValueError('the checkpoint has a CLIP image tower (vit_model.visual.*), only those with a Swin can be converted.')
    rest = {key: value for key, value in source.items() if not key.startswith(IMAGE[1])}
    plain, stacked = _names(rest, theirs=True)
    theirs = [theirs for _, theirs in plain] + [key for _, pair in stacked for key in pair]
    _require_same(set(rest), set(theirs), 'a METER checkpoint')
    result = {ours: rest[name] for ours, name in plain}
    result |= {ours: torch.cat([rest[key], rest[value]]) for ours, (key, value) in stacked}
    result |= {IMAGE[0] + key: value for key, value in swin_to_florence(image).items()}
    return {**result, **(extra_states or {})}


def florence_to_meter(state_dict: StateDict, *, task: str | None = None) -> StateDict:
    """The way back; RoBERTa's pooler and the ranking output are not there to give.

    Args:
        state_dict: Weights of a `METERModel` with `CoSwin(embed='patch')` and `RobertaEncoder`.
        task: Key of `HEADS`; needed where the head is a classifier, whose task the weights do not tell.

    Raises:
        ValueError: If a key is missing or unknown, or the task is needed or unknown.
    """
    source = {key: value for key, value in state_dict.items() if not key.endswith(EXTRA_STATE)}
    _log_left_out(sorted(set(state_dict) - set(source)))
    image = _under(source, IMAGE[0])
    rest = {key: value for key, value in source.items() if not key.startswith(IMAGE[0])}
    plain, stacked = _names(rest, theirs=False, task=task)
    _require_same(set(rest), {ours for ours, _ in plain} | {ours for ours, _ in stacked}, 'a METERModel with RobertaEncoder')
    result = {theirs: rest[ours] for ours, theirs in plain}
    for ours, pair in stacked:
        result |= dict(zip(pair, rest[ours].chunk(2), strict=True))
    swin = florence_to_swin(image)
    return {**result, **{IMAGE[1] + key: value for key, value in swin.items()}}


def _names(
    source: StateDict, *, theirs: bool, task: str | None = None
) -> tuple[list[tuple[str, str]], list[tuple[str, tuple[str, str]]]]:
    """All parameters but the image tower's: our name and theirs; our stacked keys and values, and their two names."""
    task = _task_of_theirs(source) if theirs else _task_of_ours(source, task)
    modules = list(_ENCODER) + HEADS.get(task or '', [])
    plain = [('encoder.token_types.weight', 'token_type_embeddings.weight')]
    plain += _PLAIN_OF_PRETRAIN if task == 'pretrain' else []
    plain += [(f'{TEXT[0]}embeddings.{part}_embeddings.weight', f'{TEXT[1]}embeddings.{part}_embeddings.weight')
              for part in ('word', 'position', 'token_type')]  # fmt: skip
    text_parts = ['embeddings.LayerNorm']
    for layer in range(_count(source, (TEXT[1] if theirs else TEXT[0]) + 'encoder.layer')):
        text_parts += [f'encoder.layer.{layer}.{part}' for part in _BERT_LAYER]
    modules += [(TEXT[0] + part, TEXT[1] + part) for part in text_parts]
    stacked: list[tuple[str, tuple[str, str]]] = []
    for stream in ('text', 'image'):
        ours, name = f'encoder.fusion.{stream}_layers', f'cross_modal_{stream}_layers'
        for layer in range(_count(source, name if theirs else ours)):
            modules += _fusion_modules(f'{ours}.{layer}', f'{name}.{layer}')
            stacked += _fusion_keys_values(f'{ours}.{layer}', f'{name}.{layer}')
    return plain + [(f'{ours}.{kind}', f'{name}.{kind}') for ours, name in modules for kind in ('weight', 'bias')], stacked


def _fusion_modules(ours: str, theirs: str) -> Iterator[tuple[str, str]]:
    for attention, name in _ATTENTIONS:
        yield f'{ours}.{attention}_attn.query', f'{theirs}.{name}.self.query'
        yield f'{ours}.{attention}_attn.proj', f'{theirs}.{name}.output.dense'
        yield f'{ours}.{attention}_norm', f'{theirs}.{name}.output.LayerNorm'
    yield f'{ours}.mlp.fc1', f'{theirs}.intermediate.dense'
    yield f'{ours}.mlp.fc2', f'{theirs}.output.dense'
    yield f'{ours}.mlp_norm', f'{theirs}.output.LayerNorm'


def _fusion_keys_values(ours: str, theirs: str) -> Iterator[tuple[str, tuple[str, str]]]:
    for attention, name in _ATTENTIONS:
        for kind in ('weight', 'bias'):
            pair = (f'{theirs}.{name}.self.key.{kind}', f'{theirs}.{name}.self.value.{kind}')
            yield f'{ours}.{attention}_attn.key_value.{kind}', pair


def _task_of_theirs(source: StateDict) -> str | None:
    prefixes = {task: tuple({name.split('.')[0] + '.' for _, name in head}) for task, head in HEADS.items()}
    found = [task for task, names in prefixes.items() if any(key.startswith(names) for key in source)]
    if len(found) > 1:
        raise ValueError(f'the checkpoint has heads of several tasks: {", ".join(found)}; take out the keys of all but one.')
    return found[0] if found else None


def _task_of_ours(source: StateDict, task: str | None) -> str | None:
    if any(key.startswith('head.mlm.') for key in source):
        return 'pretrain'
    if not any(key.startswith('head.') for key in source):
        return None
    if task not in HEADS:
        raise ValueError(
            f'the head is a classifier: say of which task, one of {sorted(set(HEADS) - {"pretrain"})}, got {task!r}.'
        )
    return task


def _count(source: StateDict, layers: str) -> int:
    """Layers as far as the keys tell; holes are found by the comparison of names."""
    pattern = re.compile(re.escape(layers) + r'\.(\d+)\.')
    return 1 + max((int(match[1]) for match in map(pattern.match, source) if match), default=-1)


def _under(source: StateDict, prefix: str) -> StateDict:
    return {key.removeprefix(prefix): value for key, value in source.items() if key.startswith(prefix)}


def _require_same(found: set[str], expected: set[str], kind: str) -> None:
    unknown, missing = sorted(found - expected), sorted(expected - found)
    if unknown or missing:
        raise ValueError(
            f'the checkpoint is not {kind}: no place for {", ".join(unknown) or "none"}; missing {", ".join(missing) or "none"}.'
        )


def _log_left_out(keys: list[str]) -> None:
    if keys:
        print_log(f'{len(keys)} key(s) left out: {", ".join(keys[:4])}', logger='current')
