"""Convert a Dynamic Head checkpoint (Microsoft's or mmdet's) to `DyHead(offset_mode='official')`, or back.

python tools/model_converters/dyhead_to_florence.py atss_r50_1x.pth dyhead.pth
python tools/model_converters/dyhead_to_florence.py atss_r50_fpn_dyhead_1x_coco.pth dyhead.pth --prefix neck.1.
python tools/model_converters/dyhead_to_florence.py epoch_12.pth dyhead.pth --reverse --format mmdet --prefix neck.1.
"""

from florence.models.converters.command_line import run_converter
from florence.models.converters.dyhead import florence_to_dyhead, dyhead_to_florence

WRAPPERS = {'microsoft': 'model', 'mmdet': 'state_dict'}
"""Under which key a checkpoint of each format holds its weights."""


def main(arguments: list[str] | None = None) -> None:
    run_converter(__doc__, dyhead_to_florence, florence_to_dyhead, WRAPPERS, prefix=None, arguments=arguments)


if __name__ == '__main__':
    main()
