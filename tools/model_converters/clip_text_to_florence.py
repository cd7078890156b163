"""Convert a CLIP text tower (open_clip, OpenAI, UniCL names, or Hugging Face) to ours, or back.

    python tools/model_converters/clip_text_to_florence.py open_clip_model.safetensors text.pth
    python tools/model_converters/clip_text_to_florence.py two_tower.pth clip_text.safetensors --reverse
    --format hf

The result holds `text_tower.*` and `text_proj.weight`: give it to `tools/train.py --load-from`.
"""

import argparse
import os
import sys
from pathlib import Path

import torch
from torch import Tensor

from florence.models.converters.clip_text import (
    FORMATS,
    clip_text_to_florence,
    florence_to_clip_text,
    join_two_tower,
    split_two_tower,
)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='IN', type=Path, help='.pth, .pt, .bin or .safetensors')
    parser.add_argument('target', metavar='OUT', type=Path, help='.pth, .pt, .bin or .safetensors')
    parser.add_argument(
        '--reverse',
        action='store_true',
        help='from ours to CLIP; a training checkpoint is unpickled: only from a trusted source',
    )
    parser.add_argument('--format', choices=FORMATS, help='of the CLIP side; found out, or open_clip with --reverse')
    parser.add_argument('--context-length', type=int, default=76, help='positions to keep (default: 76; CLIP has 77)')
    args = parser.parse_args(arguments)
    try:
        state_dict = read_state_dict(args.source, weights_only=not args.reverse)
        if args.reverse:
            result = florence_to_clip_text(*split_two_tower(state_dict), fmt=args.format or 'open_clip')
        else:
            tower, projection = clip_text_to_florence(state_dict, fmt=args.format, context_length=args.context_length)
            result = join_two_tower(tower, projection)
        write(result, args.target, wrapped=not args.reverse)
    except (ValueError, OSError) as error:
        sys.exit(f'error: {error}')


def read_state_dict(path: Path, *, weights_only: bool) -> dict[str, Tensor]:
    """Weights of a file, out of the wrappers trainers put around them.

    Args:
        path: Checkpoint.
        weights_only: Refuse a file that holds more than weights and plain values. Our training checkpoints
            hold more: the log's history.

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
        raise ValueError(f'{path} is not a checkpoint of weights only: {str(error).splitlines()[0]}') from error
    for wrapper in ('state_dict', 'model'):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not content:
        raise ValueError(f'{path} holds no state dict but {type(content).__name__}')
    tensors = {key: value for key, value in content.items() if isinstance(value, Tensor)}
    if len(tensors) < len(content):
        others = sorted(str(key) for key in content if key not in tensors)
        raise ValueError(f'{path} holds entries that are no tensors: {", ".join(others[:5])}')
    return {key.removeprefix('module.'): value for key, value in tensors.items()}


def write(state_dict: dict[str, Tensor], path: Path, *, wrapped: bool) -> None:
    """Write a checkpoint so that a killed run leaves no half file under its name.

    Args:
        state_dict: Weights.
        path: `.safetensors`, or anything else for torch's format.
        wrapped: Put a file of torch's format into `{'state_dict': ...}`, as our runner does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + '.tmp')
    if path.suffix == '.safetensors':
        from safetensors.torch import save_file

        save_file(state_dict, partial, metadata={'format': 'pt'})
    else:
        torch.save({'state_dict': state_dict} if wrapped else state_dict, partial)
    os.replace(partial, path)


if __name__ == '__main__':
    main()
