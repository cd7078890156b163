"""LVIS's rules on top of those of COCO (arXiv 1908.03195; the authors' `lvis-api`).

The data set is federated: in an image, a class is annotated, or known to be absent (`neg_category_ids`), or unknown. Detections
of unknown classes do not count. Where a class is annotated but not exhaustively (`not_exhaustive_category_ids`), a detection that
matches nothing is no error. There are no crowds; objects and detections without area are left out.

`AP` allows an image 300 detections of all classes together, so that scores of different classes compete for the places. The fixed
AP (arXiv 2102.01066) gives each class 10,000 detections over the data set instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from florence.evaluation.functional.box_ap import PrecisionRecall, detection_areas, evaluate_detections
from florence.evaluation.functional.box_ap_inputs import Detections, GroundTruth
from florence.evaluation.functional.coco_annotations import CocoAnnotations
from florence.evaluation.functional.coco_summary import average_precision, average_recall

FREQUENCIES = ('r', 'c', 'f')


@dataclass(frozen=True)
class FederatedRules:
    """What is known of classes in images; a cell is `image * K + class`.

    Attributes:
        absent: Cells of classes known to be absent, `(N,)`.
        not_exhaustive: Cells in which objects may lack their annotation, `(M,)`.
        frequency: `'r'`, `'c'` or `'f'` (rare, common, frequent) of each class, `(K,)`.
    """

    absent: np.ndarray
    not_exhaustive: np.ndarray
    frequency: np.ndarray


def read_rules(content: Mapping[str, Any], annotations: CocoAnnotations) -> FederatedRules:
    """The rules in an annotation file of LVIS, for the classes of `annotations`.

    Raises:
        ValueError: If the file lacks them, as one of COCO does.
    """
    class_index = {category_id: index for index, category_id in enumerate(annotations.category_ids)}
    image_index = {image_id: index for index, image_id in enumerate(annotations.image_ids)}
    frequency = {category['id']: category.get('frequency') for category in content['categories']}
    for part, key, records in (
        ('images', 'neg_category_ids', content['images']),
        ('images', 'not_exhaustive_category_ids', content['images']),
        ('categories', 'frequency', content['categories']),
    ):
        lacking = sum(key not in record for record in records)
        if lacking:
            raise ValueError(f"{lacking} of {len(records)} {part} of the annotation file lack {key!r}: is it one of LVIS's?")
    wrong = sorted(set(frequency.values()) - set(FREQUENCIES))
    if wrong:
        raise ValueError(f'frequency of a category must be of {FREQUENCIES}, the annotation file has {wrong}.')

    def cells(key: str) -> np.ndarray:
        pairs = [
            image_index[image['id']] * len(class_index) + class_index[category_id]
            for image in content['images']
            for category_id in image[key]
            if category_id in class_index
        ]
        return np.array(pairs, np.int64)

    by_class = np.array([frequency[category_id] for category_id in annotations.category_ids])
    return FederatedRules(cells('neg_category_ids'), cells('not_exhaustive_category_ids'), by_class)


def apply_rules(
    truth: GroundTruth, detections: Detections, rules: FederatedRules, iou_type: str
) -> tuple[GroundTruth, Detections]:
    """Objects and detections that count, with what is forgiven marked."""
    truth = truth.select(truth.areas > 0)
    truth = replace(truth, crowd=np.zeros(len(truth.images), bool))
    detections = detections.select(detection_areas(detections, iou_type) > 0)
    num_classes = len(rules.frequency)
    cells = detections.images * num_classes + detections.classes
    detections = replace(detections, forgiven=np.isin(cells, rules.not_exhaustive))
    annotated = truth.images * num_classes + truth.classes
    return truth, detections.select(np.isin(cells, np.concatenate([rules.absent, annotated])))


def best_of_each(detections: Detections, groups: np.ndarray, limit: int) -> Detections:
    """The highest-scored detections of each group (an image, or a class); equal scores keep the order of the input.

    Args:
        detections: `D` of them.
        groups: Group of each, `(D,)`.
        limit: How many of a group to keep.
    """
    order = np.lexsort((-detections.scores, groups))
    sorted_groups = groups[order]
    places = np.arange(len(order)) - np.searchsorted(sorted_groups, sorted_groups)
    return detections.select(np.sort(order[places < limit]))


def evaluate_lvis(
    truth: GroundTruth,
    detections: Detections,
    rules: FederatedRules,
    *,
    num_images: int,
    iou_type: str = 'bbox',
    max_per_image: int | None = 300,
    max_per_class: int | None = None,
) -> dict[str, float]:
    """LVIS's figures `AP`, `AP50`, `AP75`, `APs`, `APm`, `APl`, `APr`, `APc`, `APf` and `AR`, `ARs`, `ARm`, `ARl`, 0 to 1 or -1.

    Args:
        truth: Annotated objects.
        detections: What was found.
        rules: Of the annotation file.
        num_images: Images of the data set.
        iou_type: `'bbox'` or `'segm'`.
        max_per_image: Detections of an image that count, of all classes together; None = all.
        max_per_class: Detections of a class that count, of all images together; None = all.
    """
    if max_per_image is not None:
        detections = best_of_each(detections, detections.images, max_per_image)
    if max_per_class is not None:
        detections = best_of_each(detections, detections.classes, max_per_class)
    truth, detections = apply_rules(truth, detections, rules, iou_type)
    result = evaluate_detections(
        truth, detections, num_images=num_images, num_classes=len(rules.frequency), iou_type=iou_type, max_dets=(None,)
    )
    return _summary(result, rules.frequency)


def _summary(result: PrecisionRecall, frequency: np.ndarray) -> dict[str, float]:
    figures = {'AP': average_precision(result)}
    figures |= {f'AP{round(100 * iou)}': average_precision(result, iou=iou) for iou in (0.5, 0.75)}
    figures |= {f'AP{area[0]}': average_precision(result, area=area) for area in ('small', 'medium', 'large')}
    for name in FREQUENCIES:
        figures[f'AP{name}'] = average_precision(result, classes=np.flatnonzero(frequency == name).tolist())
    figures['AR'] = average_recall(result)
    figures |= {f'AR{area[0]}': average_recall(result, area=area) for area in ('small', 'medium', 'large')}
    return figures
