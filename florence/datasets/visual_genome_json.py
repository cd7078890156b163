"""The two JSON forms in which Visual Genome's objects and attributes come (arXiv 1602.07332), read into one.

COCO form, one file:

    {"images":      [{"id": 1, "file_name": "VG_100K/1.jpg", "width": 800, "height": 600}, ...],
     "categories":  [{"id": 1, "name": "clock"}, ...],
     "attributes":  [{"id": 1, "name": "green"}, ...],
     "annotations": [{"image_id": 1, "category_id": 1, "bbox": [x, y, width, height], "attributes": [1, ...]}, ...]}

where `attributes`, at the top and in an annotation, may be absent. Classes and attributes take the order of their ids.

Raw form, the files of visualgenome.org: `image_data.json` (`image_id`, `width`, `height`, `url`, whose last two parts are the
file's name), `objects.json` (`image_id`, `objects` with `object_id`, `names`, `x`, `y`, `w`, `h`) and `attributes.json`
(`image_id`, `attributes` with `object_id`, `attributes`), and a vocabulary in the form of VinVL's `VG-SGG-dicts-*.json`:
`label_to_idx` and `attribute_to_idx`, name -> number; the order of the numbers is that of our indices. An object takes the first
of its names that the vocabulary has. Names are compared in lower case with single blanks. Boxes are clipped to the image.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class VisualGenomeData:
    """What a file holds.

    Attributes:
        classes: Names of the object classes.
        attributes: Names of the attributes.
        images: Per image `img_id`, `file_name`, `width`, `height` and `instances`: `bbox` xyxy in pixels, `bbox_label`,
            `ignore_flag`, `attributes` (indices, rising).
        left_out: What was left out and how often.
    """

    classes: tuple[str, ...]
    attributes: tuple[str, ...]
    images: list[dict]
    left_out: Mapping[str, int]


def read_coco_form(path: str | Path) -> VisualGenomeData:
    """Read the COCO form.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no JSON of that form.
    """
    content = _read(path, dict, ('images', 'categories', 'annotations'))
    with _form_of(path):
        return _from_coco_form(content)


def _from_coco_form(content: dict) -> VisualGenomeData:
    categories = sorted(content['categories'], key=lambda category: category['id'])
    attributes = sorted(content.get('attributes', ()), key=lambda attribute: attribute['id'])
    label_of = {category['id']: label for label, category in enumerate(categories)}
    attribute_of = {attribute['id']: index for index, attribute in enumerate(attributes)}
    left_out: Counter[str] = Counter()
    images = {
        image['id']: _image(image['id'], image['file_name'], image['width'], image['height']) for image in content['images']
    }
    for annotation in content['annotations']:
        image = images.get(annotation['image_id'])
        if image is None or annotation['category_id'] not in label_of:
            left_out['objects of an unknown image' if image is None else 'objects of an unknown category'] += 1
            continue
        chosen = _indices(annotation.get('attributes', ()), attribute_of, left_out)
        _add(image, annotation['bbox'], label_of[annotation['category_id']], chosen, left_out)
    classes, names = (tuple(entry['name'] for entry in entries) for entries in (categories, attributes))
    return VisualGenomeData(classes, names, images=list(images.values()), left_out=left_out)


def read_raw_form(
    image_file: str | Path, objects_file: str | Path, attributes_file: str | Path | None, vocabulary_file: str | Path
) -> VisualGenomeData:
    """Read the files of visualgenome.org.

    Args:
        image_file: `image_data.json`.
        objects_file: `objects.json`.
        attributes_file: `attributes.json`; None: objects alone.
        vocabulary_file: Names of classes and attributes.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If one is no JSON of that form.
    """
    with _form_of(f'{image_file}, {objects_file}, {attributes_file} or {vocabulary_file}'):
        return _from_raw_form(image_file, objects_file, attributes_file, vocabulary_file)


def _from_raw_form(
    image_file: str | Path, objects_file: str | Path, attributes_file: str | Path | None, vocabulary_file: str | Path
) -> VisualGenomeData:
    vocabulary = _read(vocabulary_file, dict, ('label_to_idx',))
    classes, label_of = _ordered(vocabulary['label_to_idx'])
    attributes, attribute_of = _ordered(vocabulary.get('attribute_to_idx', {}) if attributes_file else {})
    left_out: Counter[str] = Counter()
    images = {}
    for entry in _read(image_file, list, ('image_id', 'width', 'height', 'url')):
        file_name = '/'.join(entry['url'].split('/')[-2:])
        images[entry['image_id']] = _image(entry['image_id'], file_name, entry['width'], entry['height'])
    attributes_of = _attributes_by_object(attributes_file) if attributes_file else {}
    for entry in _read(objects_file, list, ('image_id', 'objects')):
        image = images.get(entry['image_id'])
        for found in entry['objects']:
            label = next((label_of[name] for name in map(_plain, found['names']) if name in label_of), None)
            if image is None or label is None:
                left_out['objects of an unknown image' if image is None else 'objects outside the vocabulary'] += 1
                continue
            named = map(_plain, attributes_of.get(found['object_id'], ()))
            _add(image, [found[key] for key in 'xywh'], label, _indices(named, attribute_of, left_out), left_out)
    return VisualGenomeData(classes, attributes, list(images.values()), left_out)


@contextmanager
def _form_of(files: str | Path) -> Iterator[None]:
    """Says of an entry in another form which files to look at."""
    try:
        yield
    except (AttributeError, KeyError, TypeError) as error:
        what = f'without {error}' if isinstance(error, KeyError) else f'in another form ({error})'
        raise ValueError(
            f'{files}: an entry {what}: expected one of the two forms of florence.datasets.visual_genome_json.'
        ) from error


def _read(path: str | Path, kind: type, keys: Iterable[str]) -> Any:
    """The JSON of a file, checked for its kind and for the keys of the object, or of the first entry of the list."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'no Visual Genome file at {path}.')
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f'{path} is cut short or no JSON: {error}.') from None
    first = content[0] if isinstance(content, list) and content else content
    missing = [key for key in keys if not isinstance(first, dict) or key not in first]
    if not isinstance(content, kind) or missing:
        expected = 'an object' if kind is dict else 'a list of objects'
        raise ValueError(f'{path}: expected {expected} with {", ".join(keys)}, found a {type(content).__name__} without them.')
    return content


def _plain(name: str) -> str:
    return ' '.join(name.lower().split())


def _ordered(numbers: Mapping[str, int]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Names in the order of their numbers, and the index of each."""
    names = tuple(sorted(numbers, key=numbers.__getitem__))
    return names, {_plain(name): index for index, name in enumerate(names)}


def _attributes_by_object(path: str | Path) -> dict[int, list[str]]:
    entries = _read(path, list, ('image_id', 'attributes'))
    return {
        found['object_id']: found['attributes'] for entry in entries for found in entry['attributes'] if found.get('attributes')
    }


def _image(img_id: int, file_name: str, width: int, height: int) -> dict:
    return {'img_id': img_id, 'file_name': file_name, 'width': width, 'height': height, 'instances': []}


def _indices(names: Iterable[Any], index_of: Mapping[Any, int], left_out: Counter) -> list[int]:
    """Indices of the known ones, each once, rising."""
    names = list(names)
    left_out['attributes outside the vocabulary'] += sum(name not in index_of for name in names)
    return sorted({index_of[name] for name in names if name in index_of})


def _add(image: dict, xywh: list[float], label: int, attributes: list[int], left_out: Counter) -> None:
    if len(xywh) != 4:
        raise TypeError(f'a box is four numbers, found {xywh}')
    x, y, width, height = xywh
    left, right = max(x, 0), min(x + width, image['width'])
    top, bottom = max(y, 0), min(y + height, image['height'])
    # Written so that a side that is not a number is left out too.
    if not (right > left and bottom > top):
        left_out['boxes without area in their image'] += 1
        return
    box = [float(left), float(top), float(right), float(bottom)]
    image['instances'].append({'bbox': box, 'bbox_label': label, 'ignore_flag': 0, 'attributes': attributes})
