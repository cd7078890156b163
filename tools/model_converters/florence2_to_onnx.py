"""Export a Florence-2 to ONNX graphs, which `tools/infer.py florence2 --onnx OUT_FOLDER` runs without PyTorch's layers.

python tools/model_converters/florence2_to_onnx.py CONFIG CHECKPOINT OUT_FOLDER
python tools/model_converters/florence2_to_onnx.py CONFIG CHECKPOINT OUT_FOLDER --int8

Each graph is compared with PyTorch; where one differs by more than --tolerance, nothing is written. Images have the size of the
config; batch and lengths of texts are free. Needs `pip install onnx onnxscript onnxruntime`.
"""

import argparse
import json
import sys

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2 for current versions)

from florence.apis.florence2_inferencer import load_florence2
from florence.export.florence2_export import export_florence2
from florence.user_errors import USER_ERRORS, in_words


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', metavar='CONFIG', help='config file of the model')
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='its weights')
    parser.add_argument('folder', metavar='OUT_FOLDER', help='is made')
    parser.add_argument('--int8', action='store_true', help='quantise matrix products to 8 bits, for CPUs')
    parser.add_argument('--tolerance', type=float, default=1e-4, help='largest difference from PyTorch, relative, before --int8')
    args = parser.parse_args(arguments)
    try:
        model, image_size, keep_ratio = load_florence2(args.config, args.checkpoint)
        options = dict(keep_ratio=keep_ratio, int8=args.int8, tolerance=args.tolerance)
        figures = export_florence2(model, image_size, args.folder, **options)
    except USER_ERRORS as error:
        sys.exit(in_words(error))
    print(json.dumps(figures, indent=2))


if __name__ == '__main__':
    main()
