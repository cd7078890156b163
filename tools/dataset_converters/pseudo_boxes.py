"""Boxes by a detector for a tree of images with one folder per class (ImageNet-22K in FLOD-9M; Florence, arXiv 2111.11432, 2.4).

    python tools/dataset_converters/pseudo_boxes.py --config configs/dyhead/NAME.py --checkpoint detector.pth \\
        --images data/imagenet22k --names words.txt --out data/imagenet22k_boxes [--part 0/8]

Killed at any time, the same command goes on with the shards that are not there. --part I/N shares the work among N processes; the
result, OUT/pseudo_boxes.json, is written by whichever finds all shards there. Merge it with others by merge_flod.py.
"""

import argparse
import hashlib
import sys
from pathlib import Path

import florence  # noqa: F401  (first: it mends mmcv, mmdet and mmaction2)

from florence.apis import DetectionInferencer
from florence.apis.image_inputs import read_image
from florence.atomic_files import write_json
from florence.data_engine.flod.class_folders import list_class_folders, read_folder_names
from florence.data_engine.flod.pseudo_boxes import PseudoBoxRules, PseudoBoxRun
from florence.engine.config_files import load_config


def parse_args(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', required=True, help='config of the detector')
    parser.add_argument('--checkpoint', required=True, help='its weights')
    parser.add_argument('--images', type=Path, required=True, help='folder of the class folders')
    parser.add_argument('--out', type=Path, required=True, help='folder of the shards and of the result')
    parser.add_argument('--names', type=Path, help='lines "FOLDER name, other name"; default: the folders\' names')
    parser.add_argument('--min-score', type=float, default=0.5)
    parser.add_argument('--max-per-image', type=int, default=20)
    parser.add_argument('--max-per-class', type=int, help='best boxes of a class in the whole set')
    parser.add_argument('--overlap', type=float, default=0.6, help='IoU from which two boxes are one object')
    parser.add_argument('--shard-size', type=int, default=1000, help='images of a shard')
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument('--part', default='0/1', metavar='I/N', help='every N-th shard from the I-th on')
    parser.add_argument('--device', default='cpu')
    return parser.parse_args(arguments)


def provenance(args: argparse.Namespace, config_text: str) -> dict:
    """What found the boxes: names and hashes of the config and of the weights."""
    weights = hashlib.blake2b(Path(args.checkpoint).read_bytes(), digest_size=16).hexdigest()
    config = hashlib.blake2b(config_text.encode(), digest_size=16).hexdigest()
    names = {'config': Path(args.config).name, 'checkpoint': Path(args.checkpoint).name}
    return names | {'config_hash': config, 'checkpoint_hash': weights}


def read_part(text: str) -> tuple[int, int]:
    """(I, N) from 'I/N'.

    Raises:
        ValueError: If it is not that.
    """
    part, _, number = text.partition('/')
    if not (part.isdigit() and number.isdigit() and int(part) < int(number)):
        raise ValueError(f'--part {text!r}: expected I/N with I from 0 to N - 1.')
    return int(part), int(number)


def main(arguments: list[str] | None = None) -> None:
    args = parse_args(arguments)
    try:
        part = read_part(args.part)
        config = load_config(args.config)
        inferencer = DetectionInferencer(config, args.checkpoint, args.device, args.batch_size)
        classes, images = list_class_folders(args.images, read_folder_names(args.names) if args.names else None)
        run = PseudoBoxRun(
            out=args.out,
            root=args.images,
            classes=classes,
            images=images,
            read=read_image,
            detect=lambda pixels: inferencer(pixels, score_thr=args.min_score),
            detector=provenance(args, config.pretty_text),
            rules=PseudoBoxRules(args.min_score, args.max_per_image, args.overlap, args.max_per_class),
            shard_size=args.shard_size,
            batch_size=args.batch_size,
        )
        run.run(*part)
        report = run.merge(args.out / 'pseudo_boxes.json')
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    if report is not None:
        write_json(args.out / 'report.json', report)
        bad = report['bad_images']
        print(
            f'{report["boxes"]} boxes in {report["images"]} images; {len(bad)} bad images'
            + ''.join(f'\n  {name}' for name in bad)
        )


if __name__ == '__main__':
    main()
