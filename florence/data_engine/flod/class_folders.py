"""A tree of images with one folder for each class, as ImageNet-22K comes: `n02084071/n02084071_1.JPEG`."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from florence.data_engine.flod.class_names import readable
from florence.datasets.image_folder import IMAGE_SUFFIXES


@dataclass(frozen=True)
class ClassFolder:
    """A class: its folder, its name as words, other names of it."""

    folder: str
    name: str
    synonyms: tuple[str, ...] = ()


@dataclass(frozen=True)
class FolderImage:
    """An image: its path below the root, and the place of its class."""

    name: str
    place: int


def read_folder_names(path: Path) -> dict[str, tuple[str, ...]]:
    """Names of folders from lines such as `n01440764 tench, Tinca tinca`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line has no name.
    """
    if not path.is_file():
        raise FileNotFoundError(f'no file of class names at {path}.')
    names = {}
    for line in path.read_text(encoding='utf-8').splitlines():
        folder, _, rest = line.strip().replace('\t', ' ').partition(' ')
        parts = tuple(part.strip() for part in rest.split(',') if part.strip())
        if folder and not parts:
            raise ValueError(f'{path}: {folder!r} has no name; expected lines such as "n01440764 tench, Tinca tinca".')
        if folder:
            names[folder] = parts
    return names


def list_class_folders(
    root: Path, names: dict[str, tuple[str, ...]] | None = None
) -> tuple[list[ClassFolder], list[FolderImage]]:
    """Classes and images in sorted order, the same on every machine.

    Args:
        root: Folder of the class folders; images may lie deeper in them.
        names: Names of the folders; None: the folders' own. A name that several have gets the folder behind it.

    Raises:
        FileNotFoundError: If there is no image.
        ValueError: If `names` lacks a folder.
    """
    if not root.is_dir():
        raise FileNotFoundError(f'no folder of images at {root}.')
    folders = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith('.'))
    absent = [folder for folder in folders if names is not None and folder not in names]
    if absent:
        raise ValueError(f'{len(absent)} folders of {root} have no name, e.g. {absent[0]!r}: add them to the file of names.')
    given = [names[folder] if names is not None else (readable(folder),) for folder in folders]
    repeated = Counter(parts[0] for parts in given)
    classes = [
        ClassFolder(folder, f'{parts[0]} ({folder})' if repeated[parts[0]] > 1 else parts[0], parts[1:])
        for folder, parts in zip(folders, given, strict=True)
    ]
    images = []
    for place, folder in enumerate(folders):
        found = [
            os.path.relpath(os.path.join(parent, file), root)
            for parent, _, files in os.walk(root / folder)
            for file in files
            if os.path.splitext(file)[1].lower() in IMAGE_SUFFIXES
        ]
        images += [FolderImage(name, place) for name in sorted(found)]
    if not images:
        raise FileNotFoundError(f'no image in the class folders of {root}; expected {root}/CLASS/IMAGE.')
    return classes, images
