"""Reading checkpoints of every kind: our files, mmengine's, plain state dicts, folders of sharded weights, URLs."""

import os
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.runner.checkpoint import _load_checkpoint

from florence.engine.checkpoint_files import problem_of

# What mmengine removes from names: the prefix of a data-parallel wrapper.
WITHOUT_MODULE = ((r'^module.', ''),)


def read_checkpoint(filename: str | os.PathLike) -> dict[str, Any]:
    """A checkpoint with its weights under `state_dict`, on the CPU.

    Args:
        filename: `.pth` file, URL that mmengine knows, or folder that `DeepSpeedEngine.save_checkpoint` wrote.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint, with what is wrong.
    """
    filename = os.fspath(filename)
    if '://' not in filename:
        if Path(filename).is_dir():
            return {'state_dict': consolidated_weights(filename), 'meta': {}}
        if not Path(filename).exists():
            advice = '' if Path(filename).suffix else ', or train the config of that name first: it is no work dir yet'
            raise FileNotFoundError(f'no checkpoint {filename!r}: check the path{advice}.')
    try:
        checkpoint = _load_checkpoint(filename, map_location='cpu')
    # KeyError: what unpickling makes of a text file.
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError) as error:
        problem = (problem_of(filename) if '://' not in filename else None) or f'cannot be read: {error}'
        raise ValueError(f'checkpoint {filename} {problem}. Use another one, or copy it again.') from error
    if not isinstance(checkpoint, dict):
        raise ValueError(f'{filename} holds a {type(checkpoint).__name__}, expected a checkpoint: a dict with state_dict.')
    if 'state_dict' not in checkpoint:
        if not checkpoint or not all(isinstance(value, torch.Tensor) for value in checkpoint.values()):
            raise ValueError(f'{filename} has no state_dict; it has {", ".join(map(str, list(checkpoint)[:8]))}.')
        checkpoint = {'state_dict': checkpoint}
    checkpoint.setdefault('meta', {})
    return checkpoint


def require_states(checkpoint: dict[str, Any], names: Sequence[str], filename: str | os.PathLike) -> None:
    """Raise unless a checkpoint holds what a run needs to go on.

    Raises:
        ValueError: If a state is missing, with what can be done.
    """
    missing = [name for name in names if name not in checkpoint]
    if missing:
        by = checkpoint['meta'].get('strategy')
        raise ValueError(
            f'{filename} cannot be resumed, it has no {" and no ".join(missing)}'
            + (f' (it was saved by {by})' if by else ' (it holds weights only)')
            + ': continue with the strategy that saved it, or start from its weights with --load-from.'
        )


def consolidated_weights(folder: str | os.PathLike) -> dict[str, Any]:
    """fp32 weights from a folder that deepspeed saved, and what else the model's state held: buffers, a learned vocabulary.

    Args:
        folder: The folder with the `*_model_states.pt` files, or one that holds such folders and a file `latest`.

    Raises:
        ValueError: If deepspeed finds no weights in it.
    """
    from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint

    folder = Path(folder)
    tag = None if (folder / 'latest').is_file() else folder.name
    parent = folder if tag is None else folder.parent
    try:
        weights = get_fp32_state_dict_from_zero_checkpoint(str(parent), tag)
    except (FileNotFoundError, ValueError, AssertionError) as error:
        raise ValueError(f'{folder} is no folder of sharded weights: {error}.') from error
    return {**_besides_parameters(folder if tag else parent / (folder / 'latest').read_text().strip()), **_copies(weights)}


def _copies(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """deepspeed's are views of whole partitions."""
    return {name: value.clone() for name, value in weights.items()}


def _besides_parameters(folder: Path) -> dict[str, Any]:
    """Entries of the saved state dict that deepspeed's own consolidation leaves out."""
    saved = torch.load(min(folder.glob('*_model_states.pt')), map_location='cpu', weights_only=False)
    parameters = {name for group in saved['param_shapes'] for name in group} | set(saved.get('frozen_param_shapes') or {})
    return {name: value for name, value in saved['module'].items() if name not in parameters}
