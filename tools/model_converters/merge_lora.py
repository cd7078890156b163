"""Add the LoRA adapters of a fine-tuned Florence-2 to its weights: a checkpoint for the same config without `lora`.

    python tools/model_converters/merge_lora.py configs/florence2/florence2-base_lora_detection-768_coco.py \
        work_dirs/NAME/iter_18480.pth merged.pth

CONFIG is that of the training, CHECKPOINT is unpickled: only from a trusted source.
"""

import argparse
from pathlib import Path

import florence  # noqa: F401  (first: it mends mmengine)
from mmengine.config import Config

from florence.apis.model_loading import build_model, load_weights
from florence.models.converters.checkpoint_file import read_state_dict, write_state_dict
from florence.models.florence2.lora import merge_lora, require_adapters
from florence.user_errors import ending_in_words


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', metavar='CONFIG', type=Path, help='config of the training')
    parser.add_argument('checkpoint', metavar='CHECKPOINT', type=Path, help='.pth file')
    parser.add_argument('target', metavar='OUT', type=Path, help='.pth or .safetensors file')
    args = parser.parse_args(arguments)
    with ending_in_words():
        model = build_model(Config.fromfile(args.config), 'florence')
        require_adapters(read_state_dict(args.checkpoint, weights_only=False), str(args.checkpoint))
        load_weights(model, str(args.checkpoint))
        merge_lora(model)
        write_state_dict(model.state_dict(), args.target, wrapper='state_dict')


if __name__ == '__main__':
    main()
