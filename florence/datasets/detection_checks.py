"""Faults of boxes, sizes and files of a detection set, mended or left out and counted.

In training boxes are cut at the border of their image and those shorter than a pixel are left out, as in mmdet. In evaluation
every finite box stays as the file has it, one without area too, because COCO's metric counts it as an object that nobody finds.
"""

import logging
import os
from pathlib import Path

import numpy as np
from mmengine.logging import print_log
from numpy.typing import NDArray
from PIL import Image

from florence.datasets.detection_dirt import Dirt
from florence.datasets.detection_table import DetectionTable

OVERHANG = 0.05
"""Pixels beyond the border that count as rounding of the file's writer."""
SUSPICIOUS_SHARE = 0.3
"""Of boxes beyond the border: more is another format."""
SHORTEST_SIDE = 1.0
"""Pixels: shorter boxes are left out in training."""


def repair_boxes(table: DetectionTable, dirt: Dirt, *, test_mode: bool) -> DetectionTable:
    """The table with usable boxes.

    Args:
        table: As it was read, sizes known.
        dirt: Takes the counts.
        test_mode: Leave boxes as they are, except those that are no numbers.
    """

    def name(row: int) -> str:
        return f'{table.boxes[row].tolist()} (xyxy) in {table.file_names.text(int(table.box_image[row]))}'

    finite: NDArray[np.bool_] = np.isfinite(table.boxes).all(axis=1)
    if not finite.all():
        dirt.add('boxes that are no four finite numbers left out', (~finite).sum(), name(int((~finite).argmax())))
        table = table.take_boxes(finite)
    if not table.num_boxes:
        return table
    size = np.tile(table.sizes, 2)[table.box_image]  # (M, 4): width, height, width, height
    clipped = table.boxes if test_mode else np.clip(table.boxes, 0, size)
    small = (clipped[:, 2:] - clipped[:, :2]).min(axis=1) < (0 if test_mode else SHORTEST_SIDE)
    if test_mode:
        small |= (clipped[:, 2:] == clipped[:, :2]).any(axis=1)
        dirt.add('boxes without area kept, the metric counts them', small.sum(), name(int(small.argmax())))
        return table
    beyond = (np.abs(clipped - table.boxes).max(axis=1) > OVERHANG) & ~small
    dirt.add('boxes clipped to their image', beyond.sum(), name(int(beyond.argmax())))
    if beyond.mean() > SUSPICIOUS_SHARE:
        print_log(
            f'{table.path}: {beyond.mean():.0%} of the boxes reach beyond their image. Are they x1, y1, x2, y2? COCO has x, y, '
            'width, height.',
            logger='current',
            level=logging.WARNING,
        )
    dirt.add('boxes shorter than one pixel within their image left out', small.sum(), name(int(small.argmax())))
    table.boxes[:] = clipped
    return table.take_boxes(~small)


def fill_sizes(table: DetectionTable, folder: Path, dirt: Dirt) -> None:
    """Read the sizes that the file does not say from the heads of the images; what cannot be read stays 0.

    Args:
        table: Changed in place.
        folder: Folder that file names are relative to.
        dirt: Takes the counts.
    """
    unknown = np.flatnonzero((table.sizes <= 0).any(axis=1))
    for row in unknown.tolist():
        try:
            table.sizes[row] = image_size(folder / table.file_names.text(row))
        except OSError:
            table.sizes[row] = 0
    if len(unknown):
        dirt.add('images without a size, read from their files', len(unknown), table.file_names.text(int(unknown[0])))


def image_size(path: Path) -> tuple[int, int]:
    """Width and height of an image as a viewer shows it, read from its head.

    Raises:
        OSError: If the file is missing or no image.
    """
    with Image.open(path) as image:
        width, height = image.size
        is_turned = image.getexif().get(0x0112, 1) >= 5
    return (height, width) if is_turned else (width, height)


def missing_files(table: DetectionTable, folder: Path) -> NDArray[np.bool_]:
    """Which images have no file, `(N,)`; each folder is listed once instead of asking for every file.

    Args:
        table: The images.
        folder: Folder that file names are relative to.
    """
    listed: dict[str, set[str]] = {}
    missing = np.zeros(table.num_images, dtype=bool)
    for row in range(table.num_images):
        parent, name = os.path.split(table.file_names.text(row))
        if parent not in listed:
            try:
                listed[parent] = set(os.listdir(folder / parent))
            except OSError:
                listed[parent] = set()
        missing[row] = name not in listed[parent]
    return missing


def require_files(table: DetectionTable, folder: Path, dirt: Dirt, *, test_mode: bool) -> DetectionTable:
    """The table with the images that are there.

    Args:
        table: The images.
        folder: Folder that file names are relative to.
        dirt: Takes the count.
        test_mode: Refuse a missing image: figures over other images than the set's are wrong.

    Raises:
        FileNotFoundError: If there is no such folder, no image is there, or in evaluation one is missing.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f'{table.path}: no image folder at {folder}; check data_root and img_prefix.')
    missing = missing_files(table, folder)
    if not missing.any():
        return table
    first = folder / table.file_names.text(int(missing.argmax()))
    if missing.all():
        raise FileNotFoundError(
            f'{table.path}: none of its {len(missing)} images lies in {folder}, e.g. {first}; check data_root and img_prefix.'
        )
    if test_mode:
        raise FileNotFoundError(
            f'{table.path}: {missing.sum()} of its {len(missing)} images are missing, e.g. {first}; evaluation needs all of them.'
        )
    dirt.add('images without a file left out', missing.sum(), first)
    return table.take_images(~missing)
