"""Digit scenes as COCO-style annotations: boxes, stroke polygons, areas and captions of the same scenes."""

from collections.abc import Iterable

from florence.datasets.digit_scenes.captions import caption
from florence.datasets.digit_scenes.render import boxes_of_masks, polygons_of_mask, visible_masks
from florence.datasets.digit_scenes.scene import DIGIT_NAMES, SceneSampler


def coco_annotations(sampler: SceneSampler, numbers: Iterable[int]) -> dict:
    """COCO dictionary of some scenes: categories are the ten digits (ids 1 to 10), `file_name` is `{number:06d}.png`.

    An object that nearer ones hide entirely has no annotation. Boxes are `[x, y, width, height]` in pixels.

    Args:
        sampler: Draws the scenes.
        numbers: Numbers of the scenes; also the image ids.
    """
    images, annotations = [], []
    for number in numbers:
        rng = sampler.rng(number)
        scene = sampler.sample(rng)
        side = scene.image_size
        images.append(
            {
                'id': number,
                'file_name': f'{number:06d}.png',
                'height': side,
                'width': side,
                'caption': caption(scene, 'detailed', rng),
            }
        )
        masks = visible_masks(scene)
        for item, mask, box in zip(scene.objects, masks, boxes_of_masks(masks).tolist(), strict=True):
            if not mask.any():
                continue
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': number,
                    'category_id': item.digit + 1,
                    'bbox': [box[0], box[1], box[2] - box[0], box[3] - box[1]],
                    'area': int(mask.sum()),
                    'segmentation': polygons_of_mask(mask),
                    'iscrowd': 0,
                    'color': item.color,
                    'size': item.size,
                }
            )
    categories = [{'id': digit + 1, 'name': name} for digit, name in enumerate(DIGIT_NAMES)]
    return {'images': images, 'annotations': annotations, 'categories': categories}
