"""Merge detection sets into one COCO-style file with one taxonomy (FLOD-9M; Florence, arXiv 2111.11432, section 2.4).

    python tools/dataset_converters/merge_flod.py --root data --out data/flod/train.json \\
        --source coco=data/coco/annotations/instances_train2017.json:coco/train2017 \\
        --source lvis=data/lvis/lvis_v1_train.json:coco \\
        --source objects365=data/objects365/train.json:objects365/train \\
        --source openimages=boxes.csv,class-descriptions-boxable.csv,imagelabels-boxable.csv:openimages/train

A source is NAME=FILE[,FILE...]:FOLDER, a COCO-style file or the tables of OpenImages, and the folder of its images below --root.
The source named first gives names and wins over duplicates. Beside the file lies a report of every count and every joined name.
"""

import argparse
import sys
from pathlib import Path

import florence  # noqa: F401  (first: it mends mmengine, which the readers log with)

from florence.atomic_files import write_json
from florence.data_engine.coco_writer import write_coco_file
from florence.data_engine.flod.merge import IDENTITIES, FlodSource, merge_sources
from florence.data_engine.flod.merge_report import merge_report
from florence.data_engine.flod.open_images import read_open_images
from florence.data_engine.flod.taxonomy import SourceClass
from florence.datasets.detection_checks import fill_sizes, repair_boxes, require_files
from florence.datasets.detection_reader import read_detection_table


def read_source(argument: str, root: Path) -> FlodSource:
    """A source from NAME=FILE[,FILE...]:FOLDER.

    Raises:
        FileNotFoundError: If a file or the images are missing.
        ValueError: If the argument has another form, or a file is no detection set.
    """
    name, equals, rest = argument.partition('=')
    files, colon, folder = rest.rpartition(':')
    if not (name and equals and files and colon):
        raise ValueError(f'--source {argument!r}: expected NAME=FILE[,FILE...]:FOLDER.')
    paths = files.split(',')
    if any(path.endswith('.csv') for path in paths):
        table, dirt = read_open_images(paths, root / folder)
    elif len(paths) == 1:
        table, dirt = read_detection_table(paths[0])
    else:
        raise ValueError(f'--source {argument!r}: several files are read for OpenImages only (.csv).')
    table = require_files(table, root / folder, dirt, test_mode=False)
    fill_sizes(table, root / folder, dirt)
    return FlodSource(name, repair_boxes(table, dirt, test_mode=False), dirt, folder)


def asked_pairs(arguments: list[str], names: list[str], classes: list[SourceClass]) -> list[tuple[SourceClass, SourceClass]]:
    """The classes of each SOURCE:NAME=SOURCE:NAME.

    Raises:
        ValueError: If one of them is not there.
    """
    place = {f'{names[item.source]}:{item.name}': item for item in classes}
    pairs = []
    for argument in arguments:
        one, _, other = argument.partition('=')
        absent = [name for name in (one, other) if name not in place]
        if absent:
            raise ValueError(f'--same {argument!r}: no class {absent[0]!r}; write SOURCE:NAME=SOURCE:NAME.')
        pairs.append((place[one], place[other]))
    return pairs


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--source', action='append', required=True, metavar='NAME=FILE[,FILE...]:FOLDER')
    parser.add_argument('--out', type=Path, required=True, help='COCO-style file to write')
    parser.add_argument('--report', type=Path, help='report to write; default: OUT with .report.json')
    parser.add_argument('--root', type=Path, default=Path('.'), help='folder that image names are relative to')
    parser.add_argument('--identity', choices=IDENTITIES, default='path', help='when two entries are one image')
    parser.add_argument('--duplicate-iou', type=float, default=0.7, help="overlap of two sets' boxes of one object")
    parser.add_argument('--same', action='append', default=[], metavar='SOURCE:NAME=SOURCE:NAME', help='classes to join')
    args = parser.parse_args(arguments)
    try:
        sources = [read_source(argument, args.root) for argument in args.source]
        names = [source.name for source in sources]
        merged = merge_sources(
            sources,
            root=args.root,
            identity=args.identity,
            duplicate_iou=args.duplicate_iou,
            same=lambda classes: asked_pairs(args.same, names, classes),
        )
        write_coco_file(
            args.out,
            categories=merged.categories(),
            sources=merged.source_entries(),
            images=merged.images(),
            annotations=merged.annotations(),
        )
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    report = merge_report(merged)
    write_json(args.report or args.out.with_suffix('.report.json'), report)
    print(', '.join(f'{count} {name.replace("_", " ")}' for name, count in report['merged'].items()))


if __name__ == '__main__':
    main()
