"""Small COCO-style sets on the disk for the tests of detection data."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

CATEGORIES = [{'id': 7, 'name': 'dog'}, {'id': 3, 'name': 'cat'}]


def image(number, **fields):
    return {'id': number, 'file_name': f'{number}.png', 'width': 40, 'height': 30, **fields}


def box(number, image_id, category_id, bbox, **fields):
    return {'id': number, 'image_id': image_id, 'category_id': category_id, 'bbox': bbox, 'area': 1, 'iscrowd': 0, **fields}


def write_set(folder: Path, images, annotations, categories=CATEGORIES, name='ann.json', **members) -> Path:
    """Write the images, 40 x 30 each, and the annotation file."""
    for entry in images:
        path = folder / entry['file_name']
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((30, 40, 3), entry['id'] % 200 if isinstance(entry['id'], int) else 9, np.uint8)).save(path)
    content = dict(images=images, annotations=annotations, categories=categories, **members)
    (folder / name).write_text(json.dumps(content), encoding='utf-8')
    return folder / name
