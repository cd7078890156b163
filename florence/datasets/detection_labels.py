"""Which category of a file has which label, and which images a few-shot training takes."""

import logging
import random
from collections.abc import Sequence

import numpy as np
from mmengine.logging import print_log
from numpy.typing import NDArray

from florence.datasets.detection_dirt import Dirt
from florence.datasets.detection_table import UNKNOWN, Categories, DetectionTable


def placeholder_categories(categories: Categories, counts: NDArray) -> NDArray[np.bool_]:
    """Categories that stand for no class, `(C,)`: exports of Roboflow list the name of the whole set first.

    Args:
        categories: Of the file.
        counts: Boxes of each, `(C,)`.
    """
    groups = set(categories.supercategories)
    is_group = [
        group == 'none' and name in groups and not count
        for name, group, count in zip(categories.names, categories.supercategories, counts.tolist(), strict=True)
    ]
    return np.array(is_group, dtype=bool)


def label_classes(table: DetectionTable, classes: Sequence[str] | None, dirt: Dirt) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Class names in the order of their labels, and the label of each category.

    Args:
        table: The file.
        classes: Names in the order of their labels; None: all of the file, in the order of their ids.
        dirt: Takes what was mended.

    Returns:
        Names, and the label of each category `(C,)`, `UNKNOWN` for one that was not asked for.

    Raises:
        ValueError: If the file lacks a class, or one is named twice.
    """
    categories = table.categories
    counts = np.bincount(table.box_category, minlength=len(categories.names))
    if classes is None:
        left_out = placeholder_categories(categories, counts)
        example = categories.names[int(left_out.argmax())]
        dirt.add('categories that only name the set (Roboflow) left out', left_out.sum(), repr(example))
        kept = [name for name, out in zip(categories.names, left_out, strict=True) if not out]
        classes = tuple(dict.fromkeys(kept))
        dirt.add('categories of the same name taken as one class', len(kept) - len(classes), _first_repeated(kept))
    else:
        if isinstance(classes, str) or not len(classes):
            raise ValueError(f'classes must be a list of at least one name, or None for all of {table.path}, got {classes!r}.')
        classes = tuple(classes)
        left_out = np.zeros(len(categories.names), dtype=bool)
        twice = _first_repeated(classes)
        if twice:
            raise ValueError(f'classes names {twice!r} twice: give each class once.')
        absent = [name for name in classes if name not in categories.names]
        if absent:
            raise ValueError(
                f'{table.path} has no category {", ".join(map(repr, absent[:5]))} ({len(absent)} of {len(classes)} classes '
                f'are not in it); it has {", ".join(map(repr, categories.names[:10]))}'
                f'{", ..." if len(categories.names) > 10 else ""}.'
            )
    place = {name: number for number, name in enumerate(classes)}
    labels = [UNKNOWN if out else place.get(name, UNKNOWN) for name, out in zip(categories.names, left_out, strict=True)]
    return classes, np.array(labels, dtype=np.int64)


def _first_repeated(names: Sequence[str]) -> str:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ''


def pick_few_shot(table: DetectionTable, labels: NDArray, num_classes: int, shots: int, seed: int) -> NDArray[np.int64]:
    """Images of a few-shot training as GLIP (arXiv 2112.03857, section 5.2) takes them, in the order of the file.

    Images come in a random order; one is taken, with all its boxes, while some class in it has been seen in fewer than `shots`
    images.

    Args:
        table: The set.
        labels: Label of each category, `UNKNOWN` for none.
        num_classes: Number of labels.
        shots: Images of each class.
        seed: GLIP's few-shot tables use 3, 30 and 300.
    """
    order = list(range(table.num_images))
    random.Random(seed).shuffle(order)
    wanted = np.full(num_classes, shots)
    taken = []
    for image in order:
        present = np.unique(labels[table.box_category[table.boxes_of(image)]])
        present = present[present != UNKNOWN]
        if (wanted[present] > 0).any():
            taken.append(image)
            wanted[present] -= 1
    short = int((wanted > 0).sum())
    if short:
        print_log(f'{table.path}: {short} classes have fewer than {shots} images', logger='current', level=logging.WARNING)
    return np.sort(np.array(taken, dtype=np.int64))
