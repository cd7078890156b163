"""Convert YOLO text labels to a COCO-style file.

    python tools/dataset_converters/yolo_to_coco.py set/train/images set/train/labels train.json --classes set/data.yaml

The label of images/a/1.jpg is labels/a/1.txt, with a line for each object: class, then centre, width and height as shares of the
image's, or the corners of a polygon. An image without a label file has no objects. --classes is a YAML file with `names`, a text
file with one name a line, or names separated by commas; ids count from 1.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import florence  # noqa: F401  (first, as in every tool)

from florence.data_engine.coco_writer import write_coco_file
from florence.datasets.detection_checks import image_size
from florence.datasets.image_folder import IMAGE_SUFFIXES


def read_classes(argument: str) -> list[str]:
    """Names in the order of their numbers.

    Raises:
        ValueError: If the file has none, or numbers are left out.
    """
    path = Path(argument)
    if path.suffix in ('.yaml', '.yml'):
        import yaml

        names = (yaml.safe_load(path.read_text(encoding='utf-8')) or {}).get('names')
        if isinstance(names, dict):
            if sorted(names) != list(range(len(names))):
                raise ValueError(f'{path}: the numbers of `names` are not 0 to {len(names) - 1}.')
            names = [names[number] for number in range(len(names))]
    elif path.is_file():
        names = [line.strip() for line in path.read_text(encoding='utf-8').splitlines() if line.strip()]
    else:
        names = [name.strip() for name in argument.split(',')]
    if not names:
        raise ValueError(f'{path} names no classes: expected a YAML file with `names`, or one name a line.')
    return [str(name) for name in names]


def read_objects(path: Path, num_classes: int) -> Iterator[tuple[int, list[float]]]:
    """Class and numbers of every line.

    Raises:
        ValueError: If a line is no object; names file and line.
    """
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        parts = line.split()
        if not parts:
            continue
        try:
            label, values = int(float(parts[0])), [float(part) for part in parts[1:]]
        except ValueError:
            label, values = -1, []
        if not (len(values) == 4 or len(values) >= 6 and len(values) % 2 == 0):
            raise ValueError(f'{path}, line {number}: expected a class and 4 numbers, or a polygon, found {line.strip()[:60]!r}.')
        if not 0 <= label < num_classes:
            raise ValueError(f'{path}, line {number}: class {label}, but there are {num_classes} names.')
        yield label, values


def in_pixels(values: list[float], width: int, height: int) -> tuple[list[float], list[list[float]]]:
    """`xywh` and polygons of the numbers of one line."""
    if len(values) == 4:
        x, y, w, h = values
        return [(x - w / 2) * width, (y - h / 2) * height, w * width, h * height], []
    xs, ys = [x * width for x in values[::2]], [y * height for y in values[1::2]]
    polygon = [value for point in zip(xs, ys) for value in point]
    return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)], [polygon]


def convert(image_folder: Path, label_folder: Path, classes: list[str]) -> tuple[dict[str, list[dict]], int]:
    """Members of the COCO-style file, and how many images have no label file.

    Raises:
        FileNotFoundError: If there is no image.
        ValueError: If an image or a label is broken, or a label has no image.
    """
    paths = sorted(path for path in image_folder.rglob('*') if path.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise FileNotFoundError(f'no image in {image_folder}.')
    labels = {path.relative_to(label_folder).with_suffix('') for path in label_folder.rglob('*.txt')}
    stray = sorted(labels - {path.relative_to(image_folder).with_suffix('') for path in paths})
    if stray:
        raise ValueError(f'{len(stray)} labels have no image, e.g. {label_folder / stray[0]}.txt.')
    images: list[dict] = []
    annotations: list[dict] = []
    for number, path in enumerate(paths, start=1):
        name = path.relative_to(image_folder)
        try:
            width, height = image_size(path)
        except OSError as error:
            raise ValueError(f'cannot read the size of {path}: {error}') from error
        images.append({'id': number, 'file_name': name.as_posix(), 'width': width, 'height': height})
        if name.with_suffix('') not in labels:
            continue
        for label, values in read_objects(label_folder / name.with_suffix('.txt'), len(classes)):
            box, polygons = in_pixels(values, width, height)
            entry = {'id': len(annotations) + 1, 'image_id': number, 'category_id': label + 1, 'bbox': box, 'iscrowd': 0}
            annotations.append(entry | {'area': box[2] * box[3]} | ({'segmentation': polygons} if polygons else {}))
    categories = [{'id': place, 'name': name} for place, name in enumerate(classes, start=1)]
    return dict(categories=categories, images=images, annotations=annotations), len(paths) - len(labels)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('images', type=Path, metavar='IMAGES', help='folder of images')
    parser.add_argument('labels', type=Path, metavar='LABELS', help='folder of label files')
    parser.add_argument('out', type=Path, metavar='OUT', help='JSON file to write')
    parser.add_argument('--classes', required=True, help='YAML file with names, text file, or names separated by commas')
    args = parser.parse_args(arguments)
    try:
        members, unlabelled = convert(args.images, args.labels, read_classes(args.classes))
        write_coco_file(args.out, **members)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(
        ', '.join(f'{len(entries)} {name}' for name, entries in members.items()) + f'; {unlabelled} images without a label file'
    )


if __name__ == '__main__':
    main()
