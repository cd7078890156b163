"""Drawing of digit scenes, and the ground truth that follows from the drawing: visible masks, boxes, stroke polygons."""

import math

import numpy as np

from florence.datasets.digit_scenes.scans import SCAN_SIDE, digit_scans
from florence.datasets.digit_scenes.scene import COLORS, GROUNDS, DigitObject, DigitScene

INK_THRESHOLD = 0.5
_INK_CONTRAST = 1.35  # enlarged scans are soft; more contrast makes the stroke solid


def _ink(item: DigitObject, split: str, image_size: int) -> np.ndarray:
    """Opacity of an object in the image, `(S, S)` in [0, 1]."""
    import cv2

    scan = digit_scans(split)[item.digit][item.scan]
    zoom = item.side / SCAN_SIDE
    cos, sin = zoom * math.cos(math.radians(item.angle)), zoom * math.sin(math.radians(item.angle))
    middle = (SCAN_SIDE - 1) / 2
    # Image point = R * (scan point - middle) + centre - 0.5: pixel centres lie at half-integers of the continuous image.
    to_image = np.array(
        [
            [cos, -sin, item.center[0] - 0.5 - (cos - sin) * middle],
            [sin, cos, item.center[1] - 0.5 - (sin + cos) * middle],
        ],
        dtype=np.float32,
    )
    ink = cv2.warpAffine(scan, to_image, (image_size, image_size), flags=cv2.INTER_CUBIC)
    return np.clip(ink * _INK_CONTRAST, 0, 1)


def render(scene: DigitScene) -> np.ndarray:
    """Image of a scene, `(S, S, 3)` uint8 RGB."""
    image = np.full((scene.image_size, scene.image_size, 3), GROUNDS[scene.ground], dtype=np.float32)
    for item in scene.objects:
        ink = _ink(item, scene.split, scene.image_size)[..., None]
        image += ink * (np.asarray(COLORS[item.color], dtype=np.float32) - image)
    return (image * scene.shade + 0.5).astype(np.uint8)


def visible_masks(scene: DigitScene) -> np.ndarray:
    """Ink of each object that no nearer object covers, `(num_objects, S, S)` bool."""
    masks = np.stack([_ink(item, scene.split, scene.image_size) >= INK_THRESHOLD for item in scene.objects])
    covered = np.zeros(masks.shape[1:], dtype=bool)
    for position in range(len(masks) - 1, -1, -1):
        own = masks[position].copy()
        masks[position] &= ~covered
        covered |= own
    return masks


def boxes_of_masks(masks: np.ndarray) -> np.ndarray:
    """Tight boxes, `(num_objects, 4)` float32 `xyxy` in pixels, far edges exclusive; zeros for an empty mask."""
    boxes = np.zeros((len(masks), 4), dtype=np.float32)
    for position, mask in enumerate(masks):
        columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
        if len(columns):
            boxes[position] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return boxes


def polygons_of_mask(mask: np.ndarray) -> list[list[float]]:
    """Outer outlines of a mask as COCO-style polygons `[x0, y0, ...]`, pixels; those under three points are left out."""
    import cv2

    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [outline.reshape(-1).astype(float).tolist() for outline in outlines if len(outline) >= 3]


def hull_of_mask(mask: np.ndarray, tolerance: float = 1.0) -> list[list[float]]:
    """The convex hull of a mask as the one polygon in a list, as `polygons_of_mask`, from its highest corner on; empty where it
    has no area.

    Args:
        mask: `(S, S)` bool.
        tolerance: How far the polygon may leave the hull, pixels: fewer corners.
    """
    import cv2

    rows, columns = np.nonzero(mask)
    # Corners of the pixels, so that the polygon covers them.
    corners = np.stack([columns, rows], 1)[:, None] + np.array([[0, 0], [1, 0], [1, 1], [0, 1]])  # (N, 4, 2)
    if not len(corners):
        return []
    hull = cv2.approxPolyDP(cv2.convexHull(corners.reshape(-1, 2).astype(np.int32)), tolerance, closed=True)
    highest = np.lexsort(hull.reshape(-1, 2).T)[0]
    return [np.roll(hull, -highest, axis=0).reshape(-1).astype(float).tolist()] if len(hull) >= 3 else []
