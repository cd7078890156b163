"""Convert a folder of Pascal VOC annotations (one XML per image) to a COCO-style file.

    python tools/dataset_converters/voc_to_coco.py VOC2012/Annotations voc2012.json --one-based \\
        --split VOC2012/ImageSets/Main/val.txt
    python tools/dataset_converters/voc_to_coco.py BCCD/Annotations bccd.json

Categories are the names in alphabetical order, or --classes. Objects marked difficult get `ignore`.
"""

import argparse
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import florence  # noqa: F401  (first, as in every tool)

from florence.data_engine.coco_writer import write_coco_file


def read_xml(path: Path) -> ElementTree.Element:
    """Root of one annotation.

    Raises:
        ValueError: If the file is no XML.
    """
    try:
        return ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f'{path} is no whole XML file: {error}.') from error


def text_of(node: ElementTree.Element, name: str, path: Path) -> str:
    """Text of a child.

    Raises:
        ValueError: If there is none.
    """
    text = (node.findtext(name) or '').strip()
    if not text:
        raise ValueError(f'{path}: <{node.tag}> has no <{name}>.')
    return text


def chosen_files(folder: Path, split: Path | None) -> list[Path]:
    """Annotations in sorted order, or those that a split names, one a line.

    Raises:
        FileNotFoundError: If there is none, or one of the split is missing.
    """
    files = sorted(folder.glob('*.xml'))
    if split is not None:
        names = [line.split()[0] for line in split.read_text().splitlines() if line.strip()]
        files = [folder / f'{Path(name).stem if name.endswith((".jpg", ".xml")) else name}.xml' for name in names]
        absent = [file for file in files if not file.is_file()]
        if absent:
            raise FileNotFoundError(f'{len(absent)} annotations of {split} are missing, e.g. {absent[0]}.')
    if not files:
        raise FileNotFoundError(f'no .xml file in {folder}.')
    return files


def image_entry(number: int, path: Path, root: ElementTree.Element) -> dict:
    """Entry of `images`; without a size where the annotation has none, the data set reads it from the image."""
    entry = {'id': number, 'file_name': text_of(root, 'filename', path)}
    size = [int(float(root.findtext(f'size/{side}') or 0)) for side in ('width', 'height')]
    return entry | (dict(zip(('width', 'height'), size)) if min(size) > 0 else {})


def boxes_of(path: Path, root: ElementTree.Element, one_based: bool) -> Iterator[tuple[str, list[float], bool]]:
    """Name, `xywh` and whether it is difficult, of every object.

    VOC counts pixels from 1 and the last one belongs to the box; most other writers of the format mean coordinates.
    """
    for item in root.iter('object'):
        box = item.find('bndbox')
        if box is None:
            raise ValueError(f'{path}: <object> has no <bndbox>.')
        left, top, right, bottom = (float(text_of(box, name, path)) for name in ('xmin', 'ymin', 'xmax', 'ymax'))
        left, top = left - one_based, top - one_based
        is_difficult = (item.findtext('difficult') or '0').strip() == '1'
        yield text_of(item, 'name', path), [left, top, right - left, bottom - top], is_difficult


def convert(files: list[Path], classes: list[str] | None, one_based: bool) -> dict[str, list[dict]]:
    """Members of the COCO-style file.

    Raises:
        ValueError: If an annotation is broken, or has a class that `classes` lacks.
    """
    images, found = [], []
    for number, path in enumerate(files, start=1):
        root = read_xml(path)
        images.append(image_entry(number, path, root))
        found += [(number, path, *entry) for entry in boxes_of(path, root, one_based)]
    names = classes or sorted({name for _, _, name, *_ in found})
    ids = {name: place for place, name in enumerate(names, start=1)}
    annotations = []
    for number, (image, path, name, box, is_difficult) in enumerate(found, start=1):
        if name not in ids:
            raise ValueError(f'{path} has an object {name!r}, which --classes lacks: {", ".join(names)}.')
        entry = {'id': number, 'image_id': image, 'category_id': ids[name], 'bbox': box, 'area': box[2] * box[3], 'iscrowd': 0}
        annotations.append(entry | ({'ignore': 1} if is_difficult else {}))
    categories = [{'id': place, 'name': name} for name, place in ids.items()]
    return dict(categories=categories, images=images, annotations=annotations)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('annotations', type=Path, metavar='FOLDER', help='folder of XML files')
    parser.add_argument('out', type=Path, metavar='OUT', help='JSON file to write')
    parser.add_argument('--split', type=Path, help='file that names the annotations to take, one a line')
    parser.add_argument('--classes', help='names separated by commas, in the order of their ids')
    parser.add_argument('--one-based', action='store_true', help='pixels count from 1, as in VOC itself')
    args = parser.parse_args(arguments)
    try:
        classes = [name.strip() for name in args.classes.split(',')] if args.classes else None
        members = convert(chosen_files(args.annotations, args.split), classes, args.one_based)
        write_coco_file(args.out, **members)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(', '.join(f'{len(entries)} {name}' for name, entries in members.items()))


if __name__ == '__main__':
    main()
