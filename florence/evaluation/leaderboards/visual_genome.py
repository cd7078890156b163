"""AP50 of a file of detections on Visual Genome, and the published figures (Florence, arXiv 2111.11432, Table 6)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from florence.evaluation.functional.voc_ap import FlatBoxes, voc_detection_ap

PUBLISHED = {'VinVL': 13.8, 'Florence': 16.2}
"""AP50 in percent: mean over VinVL's 1,594 classes."""
NUM_CLASSES = 1594


def visual_genome_figures(content: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """AP50 of objects in percent.

    Args:
        content: COCO-style annotations: `images`, `categories` and `annotations`.
        records: Detections in COCO's form: `image_id`, `category_id`, `bbox` xywh, `score`.

    Returns:
        `AP50` (mean over all classes), `weighted_AP50`, `AP50_present` (mean over classes with ground truth), `num_classes`,
        `num_images`, `published` and `is_comparable`: whether there are as many classes as the published figures have.

    Raises:
        ValueError: If there is no ground truth, or a detection has an unknown image or category.
    """
    image_of = {image['id']: index for index, image in enumerate(sorted(content['images'], key=lambda image: image['id']))}
    ids = sorted(category['id'] for category in content['categories'])
    label_of = {category_id: label for label, category_id in enumerate(ids)}
    for record in records:
        if record['image_id'] not in image_of or record['category_id'] not in label_of:
            raise ValueError(
                f'a detection names image {record["image_id"]!r} and category {record["category_id"]!r}, one of which the '
                'annotation file does not have.'
            )
    truth = _flat(content['annotations'], image_of, label_of)
    scores = np.array([record['score'] for record in records], np.float64)
    found = _flat(records, image_of, label_of)
    result = voc_detection_ap(FlatBoxes(found.image, found.boxes, found.label, scores), truth, len(ids))
    return {
        'AP50': 100 * result.mean,
        'weighted_AP50': 100 * result.weighted_mean,
        'AP50_present': 100 * result.mean_of_present,
        'num_classes': len(ids),
        'num_images': len(image_of),
        'published': PUBLISHED,
        'is_comparable': len(ids) == NUM_CLASSES,
    }


def _flat(records: Sequence[Mapping[str, Any]], image_of: Mapping[Any, int], label_of: Mapping[int, int]) -> FlatBoxes:
    boxes = np.array([record['bbox'] for record in records], np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]  # xywh -> xyxy
    images = np.array([image_of[record['image_id']] for record in records], np.int64)
    return FlatBoxes(images, boxes, np.array([label_of[record['category_id']] for record in records], np.int64))
