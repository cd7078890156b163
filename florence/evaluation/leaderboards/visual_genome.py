"""AP50 of a file of detections on Visual Genome, and the published figures (Florence, arXiv 2111.11432, Table 6)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from florence.evaluation.functional.coco_annotations import to_arrays
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
        ValueError: If annotations are broken, there is no ground truth, or a detection has an unknown image or category.
    """
    annotations = to_arrays(content)
    image_of = {image_id: index for index, image_id in enumerate(annotations.image_ids)}
    label_of = {category_id: label for label, category_id in enumerate(annotations.category_ids)}
    for record in records:
        if record['image_id'] not in image_of or record['category_id'] not in label_of:
            raise ValueError(
                f'a detection names image {record["image_id"]!r} and category {record["category_id"]!r}, one of which the '
                'annotation file does not have.'
            )
    truth = annotations.truth
    found = FlatBoxes(
        image=np.array([image_of[record['image_id']] for record in records], np.int64),
        boxes=_xyxy(np.array([record['bbox'] for record in records], np.float64).reshape(-1, 4)),
        label=np.array([label_of[record['category_id']] for record in records], np.int64),
        score=np.array([record['score'] for record in records], np.float64),
    )
    result = voc_detection_ap(found, FlatBoxes(truth.images, _xyxy(truth.boxes), truth.classes), len(label_of))
    return {
        'AP50': 100 * result.mean,
        'weighted_AP50': 100 * result.weighted_mean,
        'AP50_present': 100 * result.mean_of_present,
        'num_classes': len(label_of),
        'num_images': len(image_of),
        'published': PUBLISHED,
        'is_comparable': len(label_of) == NUM_CLASSES,
    }


def _xyxy(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
