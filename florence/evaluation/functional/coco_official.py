"""The same evaluation by pycocotools itself: the reference that ours is checked against, chosen by `backend='pycocotools'`."""

import contextlib
import io

import numpy as np

from florence.evaluation.functional.box_ap import IOU_THRESHOLDS, PrecisionRecall, detection_areas
from florence.evaluation.functional.box_ap_inputs import Detections, GroundTruth


def evaluate_with_pycocotools(
    truth: GroundTruth,
    detections: Detections,
    *,
    num_images: int,
    num_classes: int,
    iou_type: str = 'bbox',
    max_dets: tuple[int, ...] = (1, 10, 100),
    class_agnostic: bool = False,
) -> PrecisionRecall:
    """As `evaluate_detections`; `ignored` and `forgiven` are not known to pycocotools and must be None."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    assert truth.ignored is None and detections.forgiven is None, 'pycocotools has no such rules'
    # It asks for the sizes of images without using them, since masks come encoded.
    images = [{'id': index, 'height': 0, 'width': 0} for index in range(num_images)]
    categories = [{'id': index} for index in range(num_classes)]
    api, found = COCO(), COCO()
    api.dataset = {'images': images, 'categories': categories, 'annotations': _records(truth, truth.areas, truth.crowd)}
    areas = detection_areas(detections, iou_type)
    records = _records(detections, areas, np.zeros(len(areas), bool))
    for record, score in zip(records, detections.scores.tolist()):
        record['score'] = score
    found.dataset = {'images': images, 'categories': categories, 'annotations': records}
    with contextlib.redirect_stdout(io.StringIO()):
        api.createIndex()
        found.createIndex()
        evaluation = COCOeval(api, found, iou_type)
        evaluation.params.maxDets = list(max_dets)
        evaluation.params.useCats = int(not class_agnostic)
        evaluation.evaluate()
        evaluation.accumulate()
    return PrecisionRecall(evaluation.eval['precision'], evaluation.eval['recall'], IOU_THRESHOLDS, tuple(max_dets))


def _records(objects: GroundTruth | Detections, areas: np.ndarray, crowd: np.ndarray) -> list[dict]:
    """Annotations as pycocotools wants them; ids start at 1 since it takes 0 for "not matched"."""
    columns = (objects.images, objects.classes, objects.boxes, np.asarray(areas, np.float64), crowd)
    names = ('image_id', 'category_id', 'bbox', 'area', 'iscrowd')
    records = [dict(zip(names, row), id=index + 1) for index, row in enumerate(zip(*(column.tolist() for column in columns)))]
    for record, mask in zip(records, objects.masks or []):
        record['segmentation'] = mask
    return records
