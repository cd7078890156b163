"""Embed the class names of an annotation file with a two-tower model, for `florence.VocabularyDetector`.

    python tools/misc/write_name_embeddings.py data/flod/train.json names.pth --model configs/unicl/NAME.py --checkpoint unicl.pth

The names are in the order of the labels that `florence.CocoDetection` gives them.
"""

import argparse
import sys
from pathlib import Path

import florence  # noqa: F401  (first: it mends mmengine)

import torch

from florence.apis import load_two_tower
from florence.atomic_files import atomic_path
from florence.datasets.detection_labels import label_classes
from florence.datasets.detection_reader import read_detection_table
from florence.models.two_tower.class_embeddings import build_class_embeddings


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('ann_file', help='COCO-style JSON file')
    parser.add_argument('out', type=Path, help='.pth file to write')
    parser.add_argument('--model', required=True, help='config of the two-tower model')
    parser.add_argument('--checkpoint', required=True, help='its weights')
    parser.add_argument('--templates', default='simple', help='prompt-template set')
    parser.add_argument('--device', default='cpu')
    args = parser.parse_args(arguments)
    try:
        table, dirt = read_detection_table(args.ann_file)
        names, _ = label_classes(table, None, dirt)
        model = load_two_tower(args.model, args.checkpoint, args.device)
        with torch.no_grad():
            embeds = build_class_embeddings(model.encode_text, [name.replace('_', ' ') for name in names], args.templates)
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f'error: {error.args[0] if isinstance(error, KeyError) else error}')
    with atomic_path(args.out) as temporary:
        torch.save(dict(names=list(names), embeds=embeds.cpu(), templates=args.templates), temporary)
    print(f'{len(names)} names, {embeds.size(1)} wide')


if __name__ == '__main__':
    main()
