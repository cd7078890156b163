"""Convert a Swin checkpoint (Microsoft's or timm's) to `CoSwin(embed='patch')`, or a Video Swin checkpoint (Microsoft's or
mmaction2's) to `VideoCoSwin(embed='patch')`, or back.

python tools/model_converters/swin_to_florence.py swin_tiny_patch4_window7_224.pth coswin.pth
python tools/model_converters/swin_to_florence.py unicl_swin_tiny.pth coswin.pth --prefix image_encoder.
python tools/model_converters/swin_to_florence.py coswin.pth swin.safetensors --reverse --format timm
python tools/model_converters/swin_to_florence.py swin_tiny_patch244_window877.pth video_coswin.pth --prefix backbone.
python tools/model_converters/swin_to_florence.py video_coswin.pth video_swin.pth --reverse --format mmaction
"""

from florence.models.converters.command_line import run_converter
from florence.models.converters.swin import florence_to_swin, swin_to_florence

WRAPPERS = {'microsoft': 'model', 'timm': None, 'mmaction': 'state_dict'}
"""Under which key a checkpoint of each format holds its weights."""


def main(arguments: list[str] | None = None) -> None:
    run_converter(__doc__, swin_to_florence, florence_to_swin, WRAPPERS, arguments=arguments)


if __name__ == '__main__':
    main()
