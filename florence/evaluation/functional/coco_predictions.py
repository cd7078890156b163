"""Predictions of a detector for one image, checked, and those of a data set as flat arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from florence.evaluation.functional.box_ap_inputs import Detections


@dataclass(frozen=True)
class ImagePrediction:
    """Detections of one image.

    Attributes:
        image_id: Id of the image in the annotation file.
        size: Height and width, pixels.
        boxes: `xyxy` in pixels of the original image, `(N, 4)`.
        scores: `(N,)`.
        labels: `(N,)`.
        masks: Run-length encodings of length N, or None.
        mask_scores: Scores of the masks where they differ from those of the boxes, `(N,)`, or None.
        instances: Objects of the image as the data set gives them, or None.
    """

    image_id: Any
    size: tuple[int, int]
    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    masks: list | None = None
    mask_scores: np.ndarray | None = None
    instances: Sequence[Mapping] | None = None


def read_prediction(
    sample: Mapping[str, Any], num_classes: int, *, with_masks: bool = False, with_instances: bool = False
) -> ImagePrediction:
    """The prediction in a data sample of mmdet.

    Args:
        sample: A `DetDataSample` as dict.
        num_classes: Labels lie below it.
        with_masks: Whether `pred_instances.masks` is needed.
        with_instances: Whether the ground truth `instances` is needed.

    Raises:
        KeyError: If a field is missing.
        ValueError: If the fields differ in length, a number is not finite, or a label is out of range.
    """
    needed = ['pred_instances', 'img_id', 'ori_shape'] + ['instances'] * with_instances
    _need(sample, needed, 'the sample', "PackDetInputs packs what its meta_keys name; 'instances' only serve without ann_file")
    found = sample['pred_instances']
    image_id = sample['img_id']
    parts = ['bboxes', 'scores', 'labels'] + ['masks'] * with_masks
    _need(found, parts, f'the prediction of image {image_id!r}', 'the model must give them')
    boxes, scores, labels = (to_numpy(found[name]) for name in ('bboxes', 'scores', 'labels'))
    if not len(boxes) == len(scores) == len(labels):
        counts = f'{len(boxes)} boxes, {len(scores)} scores and {len(labels)} labels'
        raise ValueError(f'image {image_id!r} has {counts}: they must agree.')
    for what, values in (('boxes', boxes), ('scores', scores)):
        broken = int((~np.isfinite(values)).sum())
        if broken:
            raise ValueError(f'image {image_id!r}: {broken} of {values.size} numbers of {what} are not finite.')
    if len(labels) and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(
            f'image {image_id!r} has labels from {labels.min()} to {labels.max()}, expected 0 to {num_classes - 1}: the model was'
            ' built for other classes than the data set has (num_classes of its head, metainfo of the data set).'
        )
    height, width = sample['ori_shape'][:2]
    return ImagePrediction(
        image_id=image_id,
        size=(int(height), int(width)),
        boxes=boxes.reshape(-1, 4),
        scores=scores,
        labels=labels.astype(np.int64),
        masks=_encoded(found['masks']) if with_masks else None,
        mask_scores=to_numpy(found['mask_scores']) if with_masks and 'mask_scores' in found else None,
        instances=sample['instances'] if with_instances else None,
    )


def to_detections(
    predictions: Sequence[ImagePrediction], image_ids: Sequence, label_to_class: np.ndarray, *, masks: bool = False
) -> Detections:
    """Flat arrays of the predictions of a data set.

    Args:
        predictions: One per image.
        image_ids: Ids of the images of the data set, ascending.
        label_to_class: Class of each label in the evaluation, -1 = not evaluated, `(C,)`.
        masks: Whether those are evaluated, instead of boxes.

    Raises:
        ValueError: If an image is unknown or has two predictions.
    """
    index_of = {image_id: index for index, image_id in enumerate(image_ids)}
    unknown = [prediction.image_id for prediction in predictions if prediction.image_id not in index_of]
    if unknown:
        raise ValueError(
            f'{len(unknown)} predicted images are not in the annotation file, the first is {unknown[0]!r}: is ann_file of the '
            'metric that of the data set?'
        )
    if len({prediction.image_id for prediction in predictions}) < len(predictions):
        raise ValueError(f'{len(predictions)} predictions are of fewer images: each image must be predicted once.')
    counts = [len(prediction.boxes) for prediction in predictions]
    boxes = _joined([prediction.boxes for prediction in predictions], (0, 4))
    if masks:
        by_mask = [p.scores if p.mask_scores is None else p.mask_scores for p in predictions]
    detections = Detections(
        images=np.repeat(np.array([index_of[prediction.image_id] for prediction in predictions], np.int64), counts),
        classes=label_to_class[_joined([prediction.labels for prediction in predictions], (0,)).astype(np.int64)],
        boxes=np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1),
        scores=_joined(by_mask if masks else [prediction.scores for prediction in predictions], (0,)),
        masks=[mask for prediction in predictions for mask in prediction.masks or []] if masks else None,
    )
    return detections.select(detections.classes >= 0) if (label_to_class < 0).any() else detections


def _joined(parts: list[np.ndarray], empty: tuple[int, ...]) -> np.ndarray:
    """One float64 array, so that differences round as those of Python's numbers do."""
    return np.concatenate(parts).astype(np.float64) if parts else np.zeros(empty)


def _need(holder: Mapping, names: list[str], where: str, hint: str) -> None:
    missing = [name for name in names if name not in holder]
    if missing:
        raise KeyError(f'{where} lacks {missing}, it has {sorted(holder)}: {hint}.')


def to_numpy(values: Any) -> np.ndarray:
    """numpy of a tensor, an array or mmdet's boxes."""
    values = getattr(values, 'tensor', values)
    if hasattr(values, 'detach'):
        values = values.detach().cpu()
        # numpy has no bfloat16, and halves would lose pixels in sums
        values = values.float() if values.is_floating_point() else values
    return np.asarray(values)


def _encoded(masks: Any) -> list:
    """Run-length encodings of masks `(N, H, W)`, or those given."""
    from pycocotools import mask

    if isinstance(masks, list):
        return masks
    return [mask.encode(np.asfortranarray(one.astype(np.uint8))) for one in to_numpy(masks)]
