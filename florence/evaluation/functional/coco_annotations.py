"""Annotation files in COCO's format (COCO, Objects365, LVIS) as flat arrays, with a sentence for each usual mistake.

Images and categories are sorted by their ids, as pycocotools does: the order in the file means nothing (the two files of
Objects365 list their categories in different orders).
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from florence.evaluation.functional.box_ap_inputs import GroundTruth

PARTS = ('images', 'categories', 'annotations')
NEEDED = {'images': ('id',), 'categories': ('id', 'name'), 'annotations': ('image_id', 'category_id', 'bbox')}


@dataclass(frozen=True)
class CocoAnnotations:
    """What a data set has.

    Attributes:
        image_ids: Id of each image, ascending; a list since ids may be strings.
        sizes: Height and width of each image, pixels, `(I, 2)`.
        category_ids: Id of each class, ascending.
        names: Name of each class.
        truth: The objects; their `images` and `classes` index the lists above.
    """

    image_ids: list
    sizes: np.ndarray
    category_ids: list[int]
    names: tuple[str, ...]
    truth: GroundTruth

    def restricted_to(self, classes: Sequence[int]) -> 'CocoAnnotations':
        """The same images with only some classes, given by their indices in ascending order."""
        new = np.full(len(self.names), -1)
        new[list(classes)] = np.arange(len(classes))
        keep = new[self.truth.classes] >= 0
        truth = self.truth.select(keep)
        truth = GroundTruth(**{**vars(truth), 'classes': new[truth.classes]})
        names = tuple(self.names[index] for index in classes)
        return CocoAnnotations(self.image_ids, self.sizes, [self.category_ids[index] for index in classes], names, truth)


def load_annotation_file(path: str | Path) -> dict[str, Any]:
    """The content of an annotation file.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it is no JSON object with images and categories.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'no annotation file {path}: check ann_file.')
    try:
        content = json.loads(path.read_bytes())
    # Of bytes that are no text, too.
    except ValueError as error:
        raise ValueError(f'{path} is no JSON: {error}.') from None
    missing = [part for part in PARTS if part not in content] if isinstance(content, dict) else list(PARTS)
    # Files of test images have no annotations.
    if set(missing) - {'annotations'}:
        raise ValueError(f"{path} lacks {missing}: an annotation file in COCO's format has images, categories and annotations.")
    return content


def to_arrays(content: Mapping[str, Any], *, with_masks: bool = False) -> CocoAnnotations:
    """Flat arrays of an annotation file.

    Args:
        content: Of `load_annotation_file`.
        with_masks: Whether to read the segmentations too.

    Raises:
        ValueError: If an entry lacks a field, ids are not unique, an annotation names an unknown image or category, or a box, an
            area or a segmentation is broken.
    """
    for part in PARTS:
        _check_entries(part, content.get(part, []))
    images = sorted(content['images'], key=lambda image: image['id'])
    categories = sorted(content['categories'], key=lambda category: category['id'])
    annotations = content.get('annotations', [])
    image_index = {image['id']: index for index, image in enumerate(images)}
    class_index = {category['id']: index for index, category in enumerate(categories)}
    for annotation in annotations:
        if annotation['image_id'] not in image_index or annotation['category_id'] not in class_index:
            raise ValueError(
                f'annotation {annotation.get("id")} names image {annotation["image_id"]!r} and category '
                f'{annotation["category_id"]!r}, one of which is not in the lists of the file: mend the file.'
            )
    sizes = np.array([(image.get('height', 0), image.get('width', 0)) for image in images]).reshape(-1, 2)
    boxes = _boxes(annotations)
    of_images = np.array([image_index[annotation['image_id']] for annotation in annotations], np.int64)
    truth = GroundTruth(
        images=of_images,
        classes=np.array([class_index[annotation['category_id']] for annotation in annotations], np.int64),
        boxes=boxes,
        areas=_areas(annotations, boxes),
        crowd=np.array([bool(annotation.get('iscrowd', 0)) for annotation in annotations], bool),
        masks=[_mask(annotation, sizes[image]) for annotation, image in zip(annotations, of_images)] if with_masks else None,
    )
    names = tuple(category['name'] for category in categories)
    return CocoAnnotations([image['id'] for image in images], sizes, list(class_index), names, truth)


def from_instances(
    image_ids: Sequence,
    sizes: Sequence[tuple[int, int]],
    instances: Sequence[Sequence[Mapping]],
    names: Sequence[str],
    *,
    with_masks: bool,
) -> CocoAnnotations:
    """Annotations of mmdet's `instances`: `bbox` as xyxy, `bbox_label`, `ignore_flag` and `mask`.

    Args:
        image_ids: Id of each image.
        sizes: Height and width of each.
        instances: Objects of each.
        names: Name of each class; labels index them and serve as category ids.
        with_masks: Whether to read the masks too.
    """
    annotations: list[dict] = []
    for image_id, objects in zip(image_ids, instances):
        for instance in objects:
            left, top, right, bottom = (float(value) for value in instance['bbox'])
            record = {'id': len(annotations), 'image_id': image_id, 'bbox': [left, top, right - left, bottom - top]}
            record |= {'category_id': int(instance['bbox_label']), 'iscrowd': instance.get('ignore_flag', 0)}
            record['area'] = (right - left) * (bottom - top)
            annotations.append({**record, 'segmentation': instance['mask']} if instance.get('mask') else record)
    content = {
        'images': [{'id': image_id, 'height': size[0], 'width': size[1]} for image_id, size in zip(image_ids, sizes)],
        'categories': [{'id': index, 'name': name} for index, name in enumerate(names)],
        'annotations': annotations,
    }
    return to_arrays(content, with_masks=with_masks)


def _check_entries(part: str, entries: Any) -> None:
    """Fields and ids of the images, categories or annotations."""
    if not isinstance(entries, list):
        raise ValueError(f'{part} of the annotation file is a {type(entries).__name__}, expected a list.')
    for index, entry in enumerate(entries):
        lacking = [name for name in NEEDED[part] if not isinstance(entry, Mapping) or name not in entry]
        if lacking:
            raise ValueError(f'entry {index} of {part} of the annotation file lacks {", ".join(lacking)}.')
    # Ids of annotations serve in messages only.
    ids = [entry['id'] for entry in entries if 'id' in entry]
    try:
        sorted(ids)
        twice = [value for value, count in Counter(ids).items() if count > 1]
    except TypeError:
        raise ValueError(f'ids of {part} of the annotation file must be all numbers or all texts.') from None
    if twice:
        raise ValueError(f'the annotation file has {len(twice)} ids of {part} more than once, the first is {twice[0]!r}.')


def _boxes(annotations: Sequence[Mapping]) -> np.ndarray:
    """`xywh`, `(G, 4)` float64."""
    for annotation in annotations:
        box = annotation['bbox']
        if not isinstance(box, Sequence) or isinstance(box, str) or len(box) != 4:
            raise ValueError(f'annotation {annotation.get("id")} has the box {box}, expected x, y, width, height.')
    return _numbers('box', [annotation['bbox'] for annotation in annotations], annotations).reshape(-1, 4)


def _numbers(what: str, values: list, annotations: Sequence[Mapping]) -> np.ndarray:
    """A float64 array of one value per annotation, all finite."""
    try:
        numbers = np.array(values, np.float64)
        broken = np.flatnonzero(~np.isfinite(numbers.reshape(len(values), -1)).all(1)) if len(values) else np.zeros(0, int)
    except (TypeError, ValueError):
        raise ValueError(f'the annotation file has a {what} that is not made of numbers.') from None
    if len(broken):
        first = int(broken[0])
        raise ValueError(f'annotation {annotations[first].get("id")} has the {what} {values[first]}, expected finite numbers.')
    return numbers


def _areas(annotations: Sequence[Mapping], boxes: np.ndarray) -> np.ndarray:
    missing = sum('area' not in annotation for annotation in annotations)
    if missing:
        print_log(f'{missing} annotations have no `area`: that of their box decides about small, medium and large.', 'current')
    areas = [annotation.get('area', box[2] * box[3]) for annotation, box in zip(annotations, boxes)]
    return _numbers('area', areas, annotations)


def _mask(annotation: Mapping, size: np.ndarray) -> dict:
    """Run-length encoding of a segmentation."""
    from pycocotools import mask

    height, width = (int(value) for value in size)
    segmentation = annotation.get('segmentation')
    if not height or not width:
        raise ValueError(f"image {annotation['image_id']!r} has no height and width: metric 'segm' needs the size of masks.")
    if not segmentation:
        raise ValueError(f"annotation {annotation.get('id')} has no segmentation: metric 'segm' needs one for every object.")
    if isinstance(segmentation, list):
        return mask.merge(mask.frPyObjects(segmentation, height, width))
    if isinstance(segmentation['counts'], list):
        return mask.frPyObjects(segmentation, height, width)
    return segmentation
