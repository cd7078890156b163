"""COCO's two forms of a mask, polygons and run lengths, as polygons."""

import numpy as np

from florence.datasets.digit_scenes.render import polygons_of_mask

FINER = 2


def polygons_of_segmentation(segmentation: list | dict) -> list[list[float]]:
    """Parts of an object, flat `x, y, ...` in pixels; parts of fewer than three points, which have no area, are left out.

    Run lengths, which crowds have, become the outer outlines of their parts, without holes.

    Args:
        segmentation: A list of polygons; or run lengths, compressed or not, or a list of them.

    Raises:
        ValueError: If it is neither.
    """
    runs = [segmentation] if isinstance(segmentation, dict) else segmentation
    if not isinstance(runs, list) or not all(isinstance(part, dict | list) for part in runs):
        raise ValueError(
            f'a segmentation must be a list of polygons, or run lengths with counts and size, got {segmentation!r:.80}'
        )
    if any(isinstance(part, dict) for part in runs):
        return _outlines(runs)
    return [part for part in runs if len(part) >= 6]


def _outlines(runs: list[dict]) -> list[list[float]]:
    from pycocotools import mask

    try:
        encoded = [code if isinstance(code['counts'], str | bytes) else mask.frPyObjects(code, *code['size']) for code in runs]
        pixels = mask.decode(mask.merge(encoded))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f'run lengths need counts and size, got {str(runs)[:80]} ({error!r})') from error
    # Outlines go through the middle of pixels: through that of finer ones, less is lost at the rim.
    finer = pixels.repeat(FINER, 0).repeat(FINER, 1)
    return [((np.array(outline) + 0.5) / FINER).tolist() for outline in polygons_of_mask(finer)]
