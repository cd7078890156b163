"""Check a COCO-style detection set before a training: what is in it, and everything that is wrong with it.

    python tools/misc/check_detection_data.py annotations/train.json --images train [--classes dog,cat] [--decode] [--json F]

Exit status 1 if there is a fault. --decode opens every image and compares its size with the file's.
"""

import argparse
import json
import sys
from pathlib import Path

import florence  # noqa: F401  (first: it mends mmcv for current versions)

import numpy as np

from florence.atomic_files import write_json
from florence.datasets.bad_samples import BadSample
from florence.datasets.detection_checks import fill_sizes, repair_boxes, require_files
from florence.datasets.detection_dirt import Dirt
from florence.datasets.detection_labels import label_classes
from florence.datasets.detection_reader import read_detection_table
from florence.datasets.detection_table import UNKNOWN, DetectionTable
from florence.datasets.transforms import LoadImage


def decode_all(table: DetectionTable, folder: Path, dirt: Dirt) -> None:
    """Open every image; count what cannot be read or has another size."""
    load = LoadImage()
    for image in range(table.num_images):
        path = str(folder / table.file_names.text(image))
        try:
            height, width = load({'img_path': path, 'sample_id': path})['ori_shape']
        except BadSample as error:
            dirt.add('images that cannot be decoded', 1, error)
            continue
        if [width, height] != table.sizes[image].tolist():
            noted = ' x '.join(map(str, table.sizes[image].tolist()))
            dirt.add('images of another size than the file says', 1, f'{path}: {width} x {height}, not {noted}')


def check(ann_file: str, folder: Path, classes: list[str] | None, decode: bool) -> dict:
    """Figures of the set and its faults.

    Raises:
        FileNotFoundError: If the file or the images are missing.
        ValueError: If the file is no detection set, or lacks a class.
    """
    table, dirt = read_detection_table(ann_file)
    table = require_files(table, folder, dirt, test_mode=False)
    fill_sizes(table, folder, dirt)
    if decode:
        decode_all(table, folder, dirt)
    table = repair_boxes(table, dirt, test_mode=False)
    names, labels = label_classes(table, classes, dirt)
    of_box = labels[table.box_category]
    counts = np.bincount(of_box[of_box != UNKNOWN], minlength=len(names))
    empty = [name for name, count in zip(names, counts.tolist()) if not count]
    return {
        'images': table.num_images,
        'images_without_boxes': int((np.diff(table.starts) == 0).sum()),
        'boxes': table.num_boxes,
        'boxes_of_other_classes': int((of_box == UNKNOWN).sum()),
        'crowds': int(table.is_crowd.sum()),
        'classes': dict(zip(names, counts.tolist())),
        'classes_without_boxes': empty,
        'is_federated': table.is_federated,
        'faults': dirt.counts,
        'first_faults': dirt.examples,
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('ann_file', help='COCO-style JSON file')
    parser.add_argument('--images', type=Path, required=True, help='folder that its file names are relative to')
    parser.add_argument('--classes', help='classes of the training, separated by commas; default: all')
    parser.add_argument('--decode', action='store_true', help='open every image')
    parser.add_argument('--json', metavar='F', help='write the figures there')
    args = parser.parse_args(arguments)
    try:
        classes = [name.strip() for name in args.classes.split(',')] if args.classes else None
        report = check(args.ann_file, args.images, classes, args.decode)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(json.dumps(report, indent=2))
    if args.json:
        write_json(args.json, report)
    sys.exit(1 if report['faults'] else 0)


if __name__ == '__main__':
    main()
