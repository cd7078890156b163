"""Activation checkpointing of any module of a model, chosen by name (arXiv 2111.11432, section 2.7; arXiv 1604.06174).

The patterns say what is recomputed in the backward pass instead of being kept:

    ['*.attn']                                 attention only, as in the paper
    ['image_tower.stages.*.blocks.*']          block by block
    ['image_tower.stages.*']                   stage by stage
    ['image_tower', 'text_tower']              whole towers

The non-reentrant form is used: it takes keyword arguments, works where no input needs a gradient, and keeps the random state, so
that drop path draws the same paths again. mmengine's form passes positional arguments only and is ignored by its FlexibleRunner.
"""

import fnmatch
import functools
from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def checkpoint_activations(model: nn.Module, patterns: str | Sequence[str]) -> list[str]:
    """Recompute the activations of the named modules in the backward pass.

    Of nested matches the outer one counts: what it recomputes, its parts need not.

    Args:
        model: Changed in place; names and weights stay as they are.
        patterns: Name or names of modules, with the wildcards of a shell; `*` also matches dots.

    Returns:
        Names of the modules that are now checkpointed.

    Raises:
        ValueError: If a pattern matches no module.
    """
    patterns = [patterns] if isinstance(patterns, str) else patterns
    names = [name for name, _ in model.named_modules() if name]
    matched: list[str] = []
    for pattern in patterns:
        hits = [name for name in names if fnmatch.fnmatchcase(name, pattern)]
        if not hits:
            raise ValueError(
                f'activation_checkpointing: {pattern!r} matches no module of {type(model).__name__}; its parts are '
                f'{", ".join(name for name, _ in model.named_children())}.'
            )
        matched += hits
    outer = [name for name in dict.fromkeys(matched) if not _has_ancestor(name, set(matched))]
    for name in outer:
        module = model.get_submodule(name)
        module.forward = _recomputed(module.forward)  # type: ignore[method-assign]
    return outer


def _has_ancestor(name: str, others: set[str]) -> bool:
    parts = name.split('.')
    return any('.'.join(parts[:depth]) in others for depth in range(1, len(parts)))


def _recomputed(forward):
    @functools.wraps(forward)
    def run(*args, **kwargs):
        if not torch.is_grad_enabled():
            return forward(*args, **kwargs)
        return checkpoint(forward, *args, use_reentrant=False, **kwargs)

    return run
