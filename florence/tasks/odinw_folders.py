"""Where the files of an ODinW set lie: folders as Roboflow exports them and as GLIP released them.

SET/.../{train,valid,test,mini_val}/_annotations.coco.json               images beside the file (Roboflow)
SET/.../{train,valid,test,mini_val}/annotations_without_background.json  images beside the file (GLIP)
SET/.../{train,val,test}_annotations_without_background.json             images beside the file (GLIP, sets named `export`)
SET/.../train/fewshot_train_shot{1,3,5,10}_seed{3,30,300}.json           few-shot splits (GLIP)
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from florence.tasks.odinw import OdinwSet

ANNOTATION_NAMES = ('annotations_without_background.json', '_annotations.coco.json')


@dataclass(frozen=True)
class SplitFiles:
    """One split of one set.

    Attributes:
        ann_file: COCO-style annotation file.
        img_dir: Folder of the images.
        classes: Names of the classes in the order of their ids, without background and placeholders.
        num_images: Images that the file lists.
    """

    ann_file: Path
    img_dir: Path
    classes: tuple[str, ...]
    num_images: int


def set_folder(root: str | Path, odinw_set: OdinwSet) -> Path | None:
    """Folder of a set, or None: the folder of GLIP's release, else one that has the set's name."""
    candidates = [Path(root, odinw_set.folder), Path(root, odinw_set.name)]
    return next((folder for folder in candidates if folder.is_dir()), None)


def find_split(root: str | Path, odinw_set: OdinwSet, split: str) -> SplitFiles | None:
    """Files of a split; None if the root does not have the set.

    Args:
        root: Folder of all sets.
        odinw_set: Which set.
        split: 'train', 'valid', 'test', 'mini_val', or 'glip' for the one that GLIP reports.

    Raises:
        FileNotFoundError: If the root has the set's folder, but not this split.
        ValueError: If the folder holds several files of the split, or the file is none of COCO's form.
    """
    folder = set_folder(root, odinw_set)
    if folder is None:
        return None
    split = {'glip': odinw_set.glip_split, 'test': odinw_set.test_split}.get(split, split)
    found = _annotation_files(folder, split)
    if not found:
        raise FileNotFoundError(f'{odinw_set.name}: no annotation file of the split {split!r} below {folder}.')
    if len(found) > 1:
        raise ValueError(f'{odinw_set.name}: the split {split!r} has several annotation files: {", ".join(map(str, found))}.')
    return read_split(found[0], odinw_set)


def find_few_shot(root: str | Path, odinw_set: OdinwSet, shots: int, seed: int) -> SplitFiles | None:
    """Files of GLIP's few-shot split; None if the set is there and this split is not."""
    folder = set_folder(root, odinw_set)
    name = f'fewshot_train_shot{shots}_seed{seed}.json'
    found = sorted(folder.rglob(name)) if folder else []
    if len(found) > 1:
        raise ValueError(f'{odinw_set.name}: {name} is there several times: {", ".join(map(str, found))}.')
    return read_split(found[0], odinw_set) if found else None


def read_split(ann_file: Path, odinw_set: OdinwSet) -> SplitFiles:
    """What an annotation file of a set says about its classes; its images lie beside it.

    Raises:
        ValueError: If it is no JSON of COCO's form, or a class with boxes has no name or that of another.
    """
    try:
        content = json.loads(ann_file.read_text(encoding='utf-8'))
        images, annotations = content['images'], content['annotations']
        categories = sorted(content['categories'], key=lambda category: category['id'])
        counts = Counter(annotation['category_id'] for annotation in annotations)
        groups = {category.get('supercategory') for category in categories}
        classes = [category for category in categories if not _is_placeholder(category, groups, counts, odinw_set)]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ValueError(f'{ann_file} is cut short or not of COCO form: {type(error).__name__} {error}.') from None
    blank = [category['id'] for category in classes if not category['name'].strip()]
    if blank:
        raise ValueError(f'{ann_file}: category {blank[0]} has boxes and no name: name it in the file.')
    names = tuple(category['name'] for category in classes)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f'{ann_file} has several categories called {twice[0]!r}: give each its own name or join them.')
    return SplitFiles(ann_file, ann_file.parent, names, len(images))


def _annotation_files(folder: Path, split: str) -> list[Path]:
    """Of each folder that holds the split the first of the known names; nearer folders win."""
    names = [f'{split}/{name}' for name in ANNOTATION_NAMES]
    if split in ('valid', 'val'):
        names += [f'val/{name}' for name in ANNOTATION_NAMES]
    short = 'val' if split == 'valid' else split
    names += [f'{short}_{ANNOTATION_NAMES[0]}']
    for pattern in ('', '**/'):
        for name in names:
            found = sorted(folder.glob(pattern + name))
            if found:
                return found
    return []


def _is_placeholder(category: dict[str, Any], groups: set, counts: Counter, odinw_set: OdinwSet) -> bool:
    """Whether a category without boxes is no class: blank, Roboflow's group of all classes, or a known placeholder."""
    if counts[category['id']]:
        return False
    name = category['name']
    is_group = category.get('supercategory') == 'none' and name in groups
    return not name.strip() or is_group or name in odinw_set.placeholder_classes
