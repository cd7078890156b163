"""Convert a DaViT checkpoint (Florence-2's tower as Microsoft or Hugging Face names it, an ImageNet tower, or timm's names of
both) to `DaViT`, or back.

python tools/model_converters/davit_to_florence.py davit_tiny.pth davit.pth
python tools/model_converters/davit_to_florence.py Florence-2-base/pytorch_model.bin davit.pth --prefix vision_tower.
python tools/model_converters/davit_to_florence.py model.safetensors davit.pth --prefix model.vision_tower.
python tools/model_converters/davit_to_florence.py davit.pth timm.safetensors --reverse --format timm
"""

import argparse
import sys
from pathlib import Path

from florence.models.converters.checkpoint_file import read_state_dict, write_state_dict
from florence.models.converters.davit import FORMATS, davit_to_florence, florence_to_davit

WRAPPERS = {'microsoft': None, 'transformers': None, 'timm': None, 'imagenet': 'state_dict'}
"""Under which key a checkpoint of each format holds its weights."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='IN', type=Path, help='.pth or .safetensors')
    parser.add_argument('target', metavar='OUT', type=Path, help='.pth or .safetensors')
    parser.add_argument(
        '--reverse',
        action='store_true',
        help='from ours to theirs; a training checkpoint is unpickled: only from a trusted source',
    )
    parser.add_argument('--format', choices=FORMATS, default='microsoft', help='names to write with --reverse')
    parser.add_argument('--prefix', default='', help='where the tower lies in IN, e.g. vision_tower. or backbone.')
    args = parser.parse_args(arguments)
    try:
        state_dict = read_state_dict(args.source, weights_only=not args.reverse)
        if args.reverse:
            result = florence_to_davit(state_dict, fmt=args.format, prefix=args.prefix)
            wrapper = WRAPPERS[args.format]
        else:
            result, wrapper = davit_to_florence(state_dict, prefix=args.prefix), 'state_dict'
        write_state_dict(result, args.target, wrapper=wrapper)
    except (ValueError, OSError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
