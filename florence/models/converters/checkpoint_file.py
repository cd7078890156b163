"""Reading and writing the weight files that converters work on."""

from pathlib import Path

import torch
from torch import Tensor

from florence.atomic_files import atomic_path

WRAPPERS = ('state_dict', 'model')


def read_state_dict(path: Path, *, weights_only: bool = True) -> dict[str, Tensor]:
    """Weights of a file, out of the wrappers trainers put around them.

    Args:
        path: `.safetensors`, or anything else for torch's format.
        weights_only: Refuse a file that holds more than weights and plain values. Checkpoints of our own
            trainings hold more (the log's history).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no state dict.
    """
    if not path.is_file():
        raise FileNotFoundError(f'no checkpoint at {path}')
    if path.suffix == '.safetensors':
        from safetensors.torch import load_file

        return load_file(path)
    try:
        content = torch.load(path, map_location='cpu', weights_only=weights_only)
    except Exception as error:  # torch reports a broken file in many ways
        raise ValueError(f'{path} cannot be read as a weight file: {str(error).splitlines()[0]}') from error
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not content:
        raise ValueError(f'{path} holds no state dict but {type(content).__name__}')
    others = sorted(str(key) for key, value in content.items() if not isinstance(value, Tensor))
    if others:
        raise ValueError(f'{path} holds entries that are no tensors: {", ".join(others[:5])}')
    # left there by a data-parallel wrapper
    return {key.removeprefix('module.'): value for key, value in content.items()}


def write_state_dict(state_dict: dict[str, Tensor], path: Path, *, wrapper: str | None = None) -> None:
    """Writes weights so that a killed run leaves no half file under its name.

    Args:
        state_dict: Weights.
        path: `.safetensors`, or anything else for torch's format.
        wrapper: Key under which torch's format holds the weights; None puts them at the top.
    """
    # Views keep the whole storage they were cut from.
    state_dict = {key: value.contiguous().clone() for key, value in state_dict.items()}
    with atomic_path(path) as partial:
        if path.suffix == '.safetensors':
            from safetensors.torch import save_file

            save_file(state_dict, partial, metadata={'format': 'pt'})
        else:
            torch.save({wrapper: state_dict} if wrapper else state_dict, partial)
