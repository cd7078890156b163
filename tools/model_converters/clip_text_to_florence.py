"""Convert a CLIP text tower (open_clip, OpenAI, UniCL names, or Hugging Face) to ours, or back.

    python tools/model_converters/clip_text_to_florence.py open_clip_model.safetensors text.pth
    python tools/model_converters/clip_text_to_florence.py two_tower.pth clip_text.safetensors --reverse
    --format hf

The result holds `text_tower.*` and `text_proj.weight`: give it to `tools/train.py --load-from`.
"""

import argparse
import sys
from pathlib import Path

from florence.models.converters.checkpoint_file import read_state_dict, write_state_dict
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
        write_state_dict(result, args.target, wrapper=None if args.reverse else 'state_dict')
    except (ValueError, OSError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
