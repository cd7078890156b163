"""Convert a Swin checkpoint (Microsoft's or timm's) to `CoSwin(embed='patch')`, or a Video Swin checkpoint (Microsoft's or
mmaction2's) to `VideoCoSwin(embed='patch')`, or back.

python tools/model_converters/swin_to_florence.py swin_tiny_patch4_window7_224.pth coswin.pth
python tools/model_converters/swin_to_florence.py unicl_swin_tiny.pth coswin.pth --prefix image_encoder.
python tools/model_converters/swin_to_florence.py coswin.pth swin.safetensors --reverse --format timm
python tools/model_converters/swin_to_florence.py swin_tiny_patch244_window877.pth video_coswin.pth --prefix backbone.
python tools/model_converters/swin_to_florence.py video_coswin.pth video_swin.pth --reverse --format mmaction
"""

import argparse
import sys
from pathlib import Path

from florence.models.converters.checkpoint_file import read_state_dict, write_state_dict
from florence.models.converters.swin import FORMATS, florence_to_swin, swin_to_florence

WRAPPERS = {'microsoft': 'model', 'timm': None, 'mmaction': 'state_dict'}
"""Under which key a checkpoint of each format holds its weights."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='IN', type=Path, help='.pth or .safetensors')
    parser.add_argument('target', metavar='OUT', type=Path, help='.pth or .safetensors')
    parser.add_argument(
        '--reverse',
        action='store_true',
        help='from ours to Swin; a training checkpoint is unpickled: only from a trusted source',
    )
    parser.add_argument('--format', choices=FORMATS, default='microsoft', help='names to write with --reverse')
    parser.add_argument('--prefix', default='', help='where the tower lies in IN, e.g. image_encoder. or backbone.')
    args = parser.parse_args(arguments)
    try:
        state_dict = read_state_dict(args.source, weights_only=not args.reverse)
        if args.reverse:
            result = florence_to_swin(state_dict, fmt=args.format, prefix=args.prefix)
            wrapper = WRAPPERS[args.format]
        else:
            result, wrapper = swin_to_florence(state_dict, prefix=args.prefix), 'state_dict'
        write_state_dict(result, args.target, wrapper=wrapper)
    except (ValueError, OSError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
