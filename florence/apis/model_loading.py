"""Weights of a model from a checkpoint, with one sentence for what can be wrong about the file."""

import pickle
from pathlib import Path
from typing import Any

from mmengine.runner import load_checkpoint
from torch import nn


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
    if '://' not in checkpoint and not Path(checkpoint).is_file():
        raise FileNotFoundError(f'no checkpoint {checkpoint!r}: check the path.')
    try:
        return load_checkpoint(model, checkpoint, map_location='cpu', strict=True)
    except RuntimeError as error:
        raise ValueError(f'checkpoint {checkpoint!r} does not fit this model: {error}') from error
    except (EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f'checkpoint {checkpoint!r} cannot be read, it is cut short or no checkpoint: {error}') from error
