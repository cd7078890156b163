"""AP50 of objects and attributes on Visual Genome (Florence, arXiv 2111.11432, section 3.6, Table 6; VinVL's `vg_eval.py`).

Differs from VinVL's evaluation in one point: that one leaves out the images without any detection together with their ground
truth; here they count, because a detector must not gain by finding nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from florence.evaluation.functional.coco_predictions import to_numpy
from florence.evaluation.functional.voc_ap import FlatBoxes, VocAP, voc_detection_ap
from florence.evaluation.functional.voc_ap_attributes import select_attributes
from florence.registry import METRICS


@dataclass(frozen=True)
class _Image:
    """What is kept of one image; attribute pairs are (box, attribute)."""

    img_id: int
    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    attributes: tuple[np.ndarray, np.ndarray, np.ndarray] | None
    gt_boxes: np.ndarray
    gt_labels: np.ndarray
    gt_attributes: np.ndarray


@METRICS.register_module()
class VisualGenomeMetric(BaseMetric):
    """VOC-style AP at IoU 0.5; all figures are fractions in [0, 1].

    Reads of each sample `img_id`, `pred_instances` (`bboxes` xyxy in pixels of the original image, `labels`, `scores`, and for
    attributes `attributes`, the probabilities `(N, A)`) and `instances`, the boxes of the data set (`bbox` xyxy in original
    pixels, `bbox_label`, and for attributes `attributes`, a list of indices): put 'instances' into the `meta_keys` of the
    packing step. Gives `object_mAP50` (mean over all classes, the published figure), `object_weighted_mAP50` (weighted with the
    number of ground truths), `object_mAP50_present` (mean over classes with ground truth), and the same for `attribute`. An
    attribute counts as right at a box that matches a box with that attribute, whatever the classes, as in VinVL.

    Args:
        num_attributes: Number of attributes; None: objects only.
        iou_threshold: A match needs more than this.
        attribute_threshold: An attribute's probability must exceed it.
        collect_device, prefix, collect_dir: As for every mmengine metric.

    Raises:
        ValueError: If predictions are not finite, classes disagree, or the set has no ground truth.
    """

    default_prefix = 'vg'

    def __init__(
        self,
        num_attributes: int | None = None,
        *,
        iou_threshold: float = 0.5,
        attribute_threshold: float = 0.05,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        self.num_attributes = num_attributes
        self.iou_threshold = iou_threshold
        self.attribute_threshold = attribute_threshold

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep boxes, scores and selected attributes of each image.

        Raises:
            KeyError: If a sample lacks a field.
            ValueError: If the attribute scores have another width than `num_attributes`.
        """
        for sample in data_samples:
            if 'instances' not in sample:
                raise KeyError(
                    f'VisualGenomeMetric needs `instances` of image {sample.get("img_id")!r}: add it to the meta_keys of '
                    "the packing step, e.g. dict(type='florence.PackAttributes', meta_keys=('img_id', 'instances', ...))."
                )
            predicted = sample['pred_instances']
            truth = sample['instances']
            self.results.append(
                _Image(
                    img_id=sample['img_id'],
                    boxes=to_numpy(predicted['bboxes']).reshape(-1, 4),
                    labels=to_numpy(predicted['labels']).astype(np.int64),
                    scores=to_numpy(predicted['scores']),
                    attributes=self._attributes(sample),
                    gt_boxes=np.array([instance['bbox'] for instance in truth], np.float64).reshape(-1, 4),
                    gt_labels=np.array([instance['bbox_label'] for instance in truth], np.int64),
                    gt_attributes=_attribute_pairs(truth),
                )
            )

    def _attributes(self, sample: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        if self.num_attributes is None:
            return None
        if 'attributes' not in sample['pred_instances']:
            raise KeyError(
                'VisualGenomeMetric(num_attributes=...) needs pred_instances.attributes: use florence.AttributeDetector, '
                'or num_attributes=None for objects alone.'
            )
        scores = to_numpy(sample['pred_instances']['attributes'])
        if scores.shape[1:] != (self.num_attributes,):
            raise ValueError(f'the model scores {scores.shape[1:]} attributes, the metric expects {self.num_attributes}.')
        if not np.isfinite(scores).all():
            raise ValueError(f'an attribute score of image {sample["img_id"]} is not finite.')
        box, attribute = select_attributes(scores, self.attribute_threshold)
        return box, attribute, scores[box, attribute]

    def compute_metrics(self, results: list[_Image]) -> dict[str, float]:
        """The figures of the whole set."""
        if not results:
            raise ValueError('VisualGenomeMetric saw no image: the data set of this evaluation is empty.')
        results = sorted(results, key=lambda image: image.img_id)
        classes = (self.dataset_meta or {}).get('classes')
        if classes is None:
            raise ValueError("VisualGenomeMetric needs the class names: the data set must have metainfo['classes'].")
        metrics = _figures('object', self._object_ap(results, len(classes)))
        if self.num_attributes is not None:
            metrics |= _figures('attribute', self._attribute_ap(results, self.num_attributes))
        return metrics

    def _object_ap(self, images: list[_Image], num_classes: int) -> VocAP:
        predictions = FlatBoxes(
            image=_image_index(images, 'boxes'),
            boxes=np.concatenate([image.boxes for image in images]),
            label=np.concatenate([image.labels for image in images]),
            score=np.concatenate([image.scores for image in images]),
        )
        truth = FlatBoxes(
            image=_image_index(images, 'gt_boxes'),
            boxes=np.concatenate([image.gt_boxes for image in images]),
            label=np.concatenate([image.gt_labels for image in images]),
        )
        return voc_detection_ap(predictions, truth, num_classes, self.iou_threshold)

    def _attribute_ap(self, images: list[_Image], num_attributes: int) -> VocAP:
        pairs = [image.attributes for image in images]
        assert all(pair is not None for pair in pairs)
        predictions = FlatBoxes(
            image=np.repeat(np.arange(len(images)), [len(box) for box, _, _ in pairs]),
            boxes=np.concatenate([image.boxes[box] for image, (box, _, _) in zip(images, pairs)]),
            label=np.concatenate([attribute for _, attribute, _ in pairs]),
            score=np.concatenate([score for _, _, score in pairs]),
        )
        truth = FlatBoxes(
            image=_image_index(images, 'gt_attributes'),
            boxes=np.concatenate([image.gt_boxes[image.gt_attributes[:, 0]] for image in images]),
            label=np.concatenate([image.gt_attributes[:, 1] for image in images]),
        )
        return voc_detection_ap(predictions, truth, num_attributes, self.iou_threshold)


def _attribute_pairs(instances: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """(box, attribute) of every attribute of every box, each once, `(P, 2)`."""
    pairs = [(box, index) for box, instance in enumerate(instances) for index in sorted(set(instance.get('attributes', ())))]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _image_index(images: list[_Image], field: str) -> np.ndarray:
    return np.repeat(np.arange(len(images)), [len(getattr(image, field)) for image in images])


def _figures(name: str, result: VocAP) -> dict[str, float]:
    return {
        f'{name}_mAP50': result.mean,
        f'{name}_weighted_mAP50': result.weighted_mean,
        f'{name}_mAP50_present': result.mean_of_present,
    }
