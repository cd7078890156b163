"""Convert a DaViT checkpoint (Florence-2's tower as Microsoft or Hugging Face names it, an ImageNet tower, or timm's names of
both) to `DaViT`, or back.

python tools/model_converters/davit_to_florence.py davit_tiny.pth davit.pth
python tools/model_converters/davit_to_florence.py Florence-2-base/pytorch_model.bin davit.pth --prefix vision_tower.
python tools/model_converters/davit_to_florence.py model.safetensors davit.pth --prefix model.vision_tower.
python tools/model_converters/davit_to_florence.py davit.pth timm.safetensors --reverse --format timm
"""

from florence.models.converters.command_line import run_converter
from florence.models.converters.davit import florence_to_davit, davit_to_florence

WRAPPERS = {'microsoft': None, 'transformers': None, 'timm': None, 'imagenet': 'state_dict'}
"""Under which key a checkpoint of each format holds its weights."""


def main(arguments: list[str] | None = None) -> None:
    run_converter(__doc__, davit_to_florence, florence_to_davit, WRAPPERS, arguments=arguments)


if __name__ == '__main__':
    main()
