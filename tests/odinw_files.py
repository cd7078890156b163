"""A folder of ODinW sets made from the real blood-cell images, in the three layouts that sets come in."""

import json
import os
from pathlib import Path


def write_split(folder: Path, split: str, count: int, data: Path, name='_annotations.coco.json', first=0, group=True) -> Path:
    """Write `count` images of BCCD with Roboflow's annotation file; returns the file.

    Roboflow numbers categories from 0, where 0 is the group of all classes.
    """
    whole = json.loads((data / 'det_bccd' / 'instances_coco.json').read_text())
    images = whole['images'][first : first + count]
    ids = {image['id'] for image in images}
    target = folder / split if split else folder
    target.mkdir(parents=True, exist_ok=True)
    for image in images:
        if not (target / image['file_name']).exists():
            os.symlink(data / 'det_bccd' / 'images' / image['file_name'], target / image['file_name'])
    root = [{'id': 0, 'name': 'cells', 'supercategory': 'none'}] if group else []
    categories = [{**category, 'supercategory': 'cells'} for category in whole['categories']]
    annotations = [annotation for annotation in whole['annotations'] if annotation['image_id'] in ids]
    content = {'images': images, 'categories': root + categories, 'annotations': annotations}
    (target / name).write_text(json.dumps(content))
    return target / name


def write_bccd(root: Path, data: Path, train=6, test=4) -> None:
    """The set BCCD as Roboflow exports it."""
    folder = root / 'BCCD' / 'BCCD.v3-raw.coco'
    write_split(folder, 'train', train, data)
    write_split(folder, 'test', test, data, first=20)
