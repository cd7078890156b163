"""The Visual Genome metric through mmengine's evaluator."""

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import BaseDataElement, InstanceData

import florence.evaluation  # noqa: F401  (registers the metric)

BOX, FAR = [0, 0, 9, 9], [50, 50, 69, 69]


def sample(img_id, predicted, instances, attributes=None):
    """`predicted` holds (box, label, score)."""
    boxes, labels, scores = zip(*predicted) if predicted else ((), (), ())
    found = InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), labels=torch.tensor(labels), scores=torch.tensor(scores)
    )
    if attributes is not None:
        found.attributes = torch.tensor(attributes)
    result = BaseDataElement(metainfo=dict(img_id=img_id, instances=instances))
    result.pred_instances = found
    return result


def evaluate(samples, **options):
    evaluator = Evaluator(dict(type='florence.VisualGenomeMetric', **options))
    evaluator.dataset_meta = {'classes': ('man', 'car')}
    for each in samples:
        evaluator.process([each])
    return evaluator.evaluate(len(samples))


def test_objects_and_attributes():
    samples = [
        sample(
            2,
            [(BOX, 0, 0.9), (FAR, 1, 0.4)],
            [dict(bbox=BOX, bbox_label=0, attributes=[0, 2]), dict(bbox=FAR, bbox_label=0, attributes=[1])],
            [[0.8, 0.0, 0.04], [0.3, 0.6, 0.0]],
        ),
        sample(1, [(BOX, 1, 0.5)], [dict(bbox=BOX, bbox_label=1, attributes=[])], [[0.0, 0.0, 0.0]]),
    ]
    figures = evaluate(samples, num_attributes=3)
    # man: one of two found; car: the score 0.5 is right and comes before 0.4, which is wrong.
    assert figures['vg/object_mAP50'] == pytest.approx((0.5 + 1) / 2)
    assert figures['vg/object_weighted_mAP50'] == pytest.approx((2 * 0.5 + 1) / 3)
    # Attribute 0 right first, 1 right although the class of its box is wrong, 2 below the threshold.
    assert figures['vg/attribute_mAP50'] == pytest.approx(2 / 3)
    assert set(evaluate(samples)) == {f'vg/object_{name}' for name in ('mAP50', 'weighted_mAP50', 'mAP50_present')}


def test_an_image_without_detections_counts():
    instances = [dict(bbox=BOX, bbox_label=0)]
    samples = [sample(0, [(BOX, 0, 0.9)], instances), sample(1, [], instances)]
    assert evaluate(samples)['vg/object_mAP50_present'] == pytest.approx(0.5)


def test_faults_are_named():
    whole = sample(0, [(BOX, 0, 0.9)], [dict(bbox=BOX, bbox_label=0)])
    with pytest.raises(KeyError, match='pred_instances.attributes'):
        evaluate([whole], num_attributes=3)
    without = BaseDataElement(metainfo=dict(img_id=7))
    without.pred_instances = whole.pred_instances
    with pytest.raises(KeyError, match='needs `instances` of image 7'):
        evaluate([without])
    with pytest.raises(ValueError, match='scores .*2.* attributes, the metric expects 3'):
        evaluate([sample(0, [(BOX, 0, 0.9)], [dict(bbox=BOX, bbox_label=0)], [[0.1, 0.2]])], num_attributes=3)
    with pytest.raises(ValueError, match='class index 2, expected 0 to 1'):
        evaluate([sample(0, [(BOX, 2, 0.9)], [dict(bbox=BOX, bbox_label=0)])])
