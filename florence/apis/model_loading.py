"""A model from its config and a checkpoint, with one sentence for what can be wrong about either."""

import logging
import pickle
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import CheckpointLoader, _load_checkpoint_to_model
from torch import nn

from florence.registry import MODELS

LONGEST = 600
"""Characters of a message about weights that do not fit: of a large model they are many."""


def build_model(config: Config, scope: str = 'mmdet') -> nn.Module:
    """The model of a config, with random weights.

    Args:
        config: A whole config.
        scope: Where names without a prefix are looked up, if the config does not say it.

    Raises:
        ValueError: If the config has no model.
    """
    if 'model' not in config:
        raise ValueError('this config has no model: give the config of a training or an evaluation.')
    with DefaultScope.overwrite_default_scope(config.get('default_scope') or scope):
        return MODELS.build(config.model)


def load_weights(model: nn.Module, checkpoint: str) -> dict[str, Any]:
    """Load all weights of a model.

    Args:
        model: Changed in place.
        checkpoint: File or URL.

    Returns:
        What else the checkpoint holds, its `meta` for one.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no checkpoint, or one of another model.
    """
    require_file(checkpoint)
    try:
        content = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    # What unpickling of a file that is no pickle runs into.
    except (EOFError, KeyError, OSError, ValueError, RuntimeError, pickle.UnpicklingError) as error:
        reason = str(error) or 'it ends too soon'
        raise ValueError(f'checkpoint {checkpoint!r} cannot be read, it is cut short or no checkpoint: {reason}') from error
    if not isinstance(content, dict):
        raise ValueError(f'checkpoint {checkpoint!r} holds {type(content).__name__}, expected a state dict.')
    try:
        return _load_checkpoint_to_model(model, content, strict=True)
    # torch's, and the model's own: a tower of another arch, another vocabulary.
    except (RuntimeError, ValueError) as error:
        reason = ' '.join(str(error).split())
        shown = reason if len(reason) <= LONGEST else f'{reason[:LONGEST]} ...'
        raise ValueError(f'checkpoint {checkpoint!r} does not fit this model: {shown}') from error


def load_weights_if_given(model: nn.Module, checkpoint: str | None) -> dict[str, Any]:
    """As `load_weights`; without a checkpoint the log says that the weights are random, and there is nothing to return."""
    if checkpoint is None:
        print_log('no checkpoint was given: the weights are random.', logger='current', level=logging.WARNING)
        return {}
    return load_weights(model, checkpoint)


def require_file(checkpoint: str) -> None:
    """Raise FileNotFoundError where a checkpoint, which may be a URL, is missing."""
    if '://' not in checkpoint and not Path(checkpoint).is_file():
        raise FileNotFoundError(f'no checkpoint {checkpoint!r}: check the path.')


def use_whole_checkpoint(cfg: Config, checkpoint: str) -> None:
    """Let an evaluation run on the weights of a checkpoint alone.

    The runner refuses a checkpoint that lacks weights, so that the files that its training started from are not needed.

    Args:
        cfg: Config of an evaluation; changed in place.
        checkpoint: File or URL.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    require_file(checkpoint)
    cfg.load_from, cfg.init_weights_for_test_or_val = checkpoint, False


def usable_device(name: str | torch.device) -> torch.device:
    """The device of a name.

    Raises:
        ValueError: If there is no such device here.
    """
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    # torch without CUDA asserts.
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f'device {str(name)!r} cannot be used here: {str(error).splitlines()[0]}') from None
    return device
