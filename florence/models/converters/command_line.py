"""The command line of converters that differ in their names alone."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor

from florence.models.converters.checkpoint_file import read_state_dict, write_state_dict

Convert = Callable[..., dict[str, Tensor]]


def run_converter(
    description: str,
    to_ours: Convert,
    to_theirs: Convert,
    wrappers: Mapping[str, str | None],
    *,
    prefix: str | None = '',
    arguments: list[str] | None = None,
) -> None:
    """Convert `IN OUT [--reverse] [--format F] [--prefix P]`; a mistake of the user ends it with a sentence.

    Args:
        description: Help of the tool.
        to_ours: State dict and `prefix` to our names.
        to_theirs: State dict, `fmt` and `prefix` to theirs.
        wrappers: Formats, the default first, and under which key a checkpoint of each holds its weights.
        prefix: Where the module lies if `--prefix` is not given; None = `to_ours` finds it.
        arguments: Of the command line; None = those of the process.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='IN', type=Path, help='.pth or .safetensors')
    parser.add_argument('target', metavar='OUT', type=Path, help='.pth or .safetensors')
    parser.add_argument(
        '--reverse',
        action='store_true',
        help='from ours to theirs; a training checkpoint is unpickled: only from a trusted source',
    )
    parser.add_argument('--format', choices=list(wrappers), default=next(iter(wrappers)), help='names to write with --reverse')
    found = '; found where it is not given' if prefix is None else ''
    parser.add_argument('--prefix', default=prefix, help=f'where the module lies in IN, e.g. image_encoder. or backbone.{found}')
    args = parser.parse_args(arguments)
    try:
        state_dict = read_state_dict(args.source, weights_only=not args.reverse)
        if args.reverse:
            result, wrapper = to_theirs(state_dict, fmt=args.format, prefix=args.prefix or ''), wrappers[args.format]
        else:
            result, wrapper = to_ours(state_dict, prefix=args.prefix), 'state_dict'
        write_state_dict(result, args.target, wrapper=wrapper)
    except (ValueError, OSError) as error:
        sys.exit(f'error: {error}')
