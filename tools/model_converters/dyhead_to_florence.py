"""Convert a Dynamic Head checkpoint (Microsoft's or mmdet's) to `DyHead(offset_mode='official')`, or back.

python tools/model_converters/dyhead_to_florence.py atss_r50_1x.pth dyhead.pth
python tools/model_converters/dyhead_to_florence.py atss_r50_fpn_dyhead_1x_coco.pth dyhead.pth --prefix neck.1.
python tools/model_converters/dyhead_to_florence.py epoch_12.pth dyhead.pth --reverse --format mmdet --prefix neck.1.
"""

import argparse
import sys
from pathlib import Path

from florence.models.converters.checkpoint_file import read_state_dict, write_state_dict
from florence.models.converters.dyhead import FORMATS, dyhead_to_florence, florence_to_dyhead


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', metavar='IN', type=Path, help='.pth or .safetensors')
    parser.add_argument('target', metavar='OUT', type=Path, help='.pth or .safetensors')
    parser.add_argument(
        '--reverse',
        action='store_true',
        help='from ours to the other; a training checkpoint is unpickled: only from a trusted source',
    )
    parser.add_argument('--format', choices=FORMATS, default='microsoft', help='names to write with --reverse')
    parser.add_argument('--prefix', help='where the head lies in IN, e.g. backbone. or neck.1.; found where it is not given')
    args = parser.parse_args(arguments)
    try:
        state_dict = read_state_dict(args.source, weights_only=not args.reverse)
        if args.reverse:
            result = florence_to_dyhead(state_dict, fmt=args.format, prefix=args.prefix or '')
            wrapper = 'model' if args.format == 'microsoft' else 'state_dict'
        else:
            result, wrapper = dyhead_to_florence(state_dict, prefix=args.prefix), 'state_dict'
        write_state_dict(result, args.target, wrapper=wrapper)
    except (ValueError, OSError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
