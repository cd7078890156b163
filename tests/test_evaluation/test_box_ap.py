"""Average precision of boxes and masks: equality with pycocotools to the last bit, and cases done by hand."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from test_evaluation.detection_cases import dirty_case, perturbed

from florence.evaluation.functional import box_ap_pairs
from florence.evaluation.functional.box_ap import RECALLS, evaluate_detections
from florence.evaluation.functional.box_ap_inputs import Detections, GroundTruth
from florence.evaluation.functional.box_ap_precision import needed_hits
from florence.evaluation.functional.coco_annotations import load_annotation_file, to_arrays
from florence.evaluation.functional.coco_official import evaluate_with_pycocotools
from florence.evaluation.functional.coco_summary import average_precision, coco_stats, per_class_ap

SIZE = {'num_images': 6, 'num_classes': 4}


def objects(boxes, images=0, classes=0, crowd=False, areas=None):
    boxes = np.array(boxes, float).reshape(-1, 4)
    images, classes, crowd = (np.broadcast_to(value, len(boxes)) for value in (images, classes, crowd))
    return GroundTruth(images, classes, boxes, boxes[:, 2] * boxes[:, 3] if areas is None else areas, crowd)


def found(boxes, scores, images=0, classes=0):
    boxes = np.array(boxes, float).reshape(-1, 4)
    images, classes = (np.broadcast_to(value, len(boxes)) for value in (images, classes))
    return Detections(images, classes, boxes, np.array(scores, float))


def both(truth, detections, **options):
    return evaluate_detections(truth, detections, **options), evaluate_with_pycocotools(truth, detections, **options)


def assert_equal(ours, official):
    np.testing.assert_array_equal(ours.precision, official.precision)
    np.testing.assert_array_equal(ours.recall, official.recall)


@pytest.mark.parametrize('class_agnostic', [False, True])
@pytest.mark.parametrize('max_dets', [(1, 10, 100), (1, 2, 3)])
def test_equals_pycocotools_on_dirty_data(class_agnostic, max_dets, monkeypatch):
    stats = set()
    for seed in range(40):
        # Tables of overlaps are made in parts; here they must be.
        monkeypatch.setattr(box_ap_pairs, 'PAIRS_AT_ONCE', 1 + seed % 7)
        truth, detections = dirty_case(np.random.default_rng(seed))
        ours, official = both(truth, detections, **SIZE, class_agnostic=class_agnostic, max_dets=max_dets)
        assert_equal(ours, official)
        stats.add(float(coco_stats(ours)[0]))
    assert len(stats) > 20, 'the cases must differ for equality to mean anything'


def test_stats_are_those_of_pycocotools():
    """The twelve numbers by pycocotools' own summary, from its own way of loading results."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    for seed in range(100, 110):
        truth, detections = dirty_case(np.random.default_rng(seed), most_objects=60)
        if not len(detections.images):
            continue
        api = COCO()
        rows = zip(*(column.tolist() for column in (truth.images, truth.classes, truth.boxes, truth.areas, truth.crowd)))
        api.dataset = {
            'images': [{'id': index} for index in range(6)],
            'categories': [{'id': index} for index in range(4)],
            'annotations': [
                dict(id=place + 1, image_id=image, category_id=category, bbox=box, area=area, iscrowd=int(crowd))
                for place, (image, category, box, area, crowd) in enumerate(rows)
            ],
        }
        api.createIndex()
        columns = (detections.images, detections.classes, detections.boxes, detections.scores)
        names = ('image_id', 'category_id', 'bbox', 'score')
        records = [dict(zip(names, row)) for row in zip(*(column.tolist() for column in columns))]
        evaluation = COCOeval(api, api.loadRes(records), 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        np.testing.assert_array_equal(coco_stats(evaluate_detections(truth, detections, **SIZE)), evaluation.stats)


@pytest.mark.parametrize('name', ['coco_mini/annotations/instances_val2017.json', 'det_bccd/instances_coco.json'])
def test_equals_pycocotools_on_real_boxes(test_data, name):
    annotations = to_arrays(load_annotation_file(test_data / name))
    detections = perturbed(annotations.truth, np.random.default_rng(0))
    size = {'num_images': len(annotations.image_ids), 'num_classes': len(annotations.names)}
    ours, official = both(annotations.truth, detections, **size)
    assert_equal(ours, official)
    assert 0.1 < coco_stats(ours)[0] < 0.9


def test_equals_pycocotools_on_real_masks(test_data):
    content = load_annotation_file(test_data / 'coco_mini/annotations/instances_val2017.json')
    annotations = to_arrays(content, with_masks=True)
    truth, rng = annotations.truth, np.random.default_rng(0)
    source = rng.integers(0, len(truth.images), 900)
    shifted = [np.roll(coco_mask.decode(truth.masks[index]), rng.integers(-9, 10, 2), (0, 1)) for index in source]
    masks = [coco_mask.encode(np.asfortranarray(one)) for one in shifted]
    scores = np.round(rng.random(900), 2)
    detections = Detections(truth.images[source], truth.classes[source], truth.boxes[source], scores, masks=masks)
    size = {'num_images': len(annotations.image_ids), 'num_classes': len(annotations.names)}
    ours, official = both(truth, detections, **size, iou_type='segm')
    assert_equal(ours, official)
    assert 0.1 < coco_stats(ours)[0] < 0.9
    assert coco_stats(ours)[0] != coco_stats(evaluate_detections(truth, detections, **size))[0]


def test_by_hand():
    """Two objects; right, wrong, right: precision 1 up to recall 1/2, then 2/3."""
    truth = objects([[0, 0, 10, 10], [50, 50, 10, 10]])
    detections = found([[0, 0, 10, 10], [20, 20, 10, 10], [50, 50, 10, 10]], [0.9, 0.8, 0.7])
    result = evaluate_detections(truth, detections, num_images=1, num_classes=2)
    assert average_precision(result) == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)
    assert per_class_ap(result).tolist() == [pytest.approx(average_precision(result)), -1.0]
    assert result.recall[0, 0, 0].tolist() == [0.5, 1.0, 1.0]
    assert average_precision(result, area='large') == -1.0 and average_precision(result, classes=[1]) == -1.0


def test_crowds_absorb_any_number_and_count_as_nothing():
    truth = objects([[0, 0, 100, 100], [200, 0, 10, 10]], crowd=np.array([True, False]))
    inside = [[10 * place, 0, 10, 10] for place in range(5)]
    detections = found([*inside, [200, 0, 10, 10]], [0.9, 0.9, 0.9, 0.9, 0.9, 0.1])
    assert average_precision(evaluate_detections(truth, detections, num_images=1, num_classes=1)) == pytest.approx(1.0)


def test_thresholds_beyond_one_word():
    """Twenty thresholds times four sizes exceed 64 bits, so they are matched in two parts."""
    truth, detections = dirty_case(np.random.default_rng(3))
    thresholds = np.linspace(0.3, 0.95, 20)
    whole = evaluate_detections(truth, detections, **SIZE, iou_thresholds=thresholds)
    for index, threshold in enumerate(thresholds):
        alone = evaluate_detections(truth, detections, **SIZE, iou_thresholds=np.array([threshold]))
        np.testing.assert_array_equal(whole.precision[index], alone.precision[0])


def test_needed_hits_are_those_of_a_search():
    counts = np.r_[np.arange(1, 400), 1000, 36335]
    expected = [np.searchsorted(np.arange(1, count + 1) / count, RECALLS) + 1 for count in counts]
    np.testing.assert_array_equal(needed_hits(counts, RECALLS), expected)


def test_order_of_input_only_breaks_ties():
    truth, detections = dirty_case(np.random.default_rng(5))
    distinct = Detections(detections.images, detections.classes, detections.boxes, np.linspace(0, 1, len(detections.images)))
    shuffled = distinct.select(np.random.default_rng(0).permutation(len(distinct.images)))
    first, second = (evaluate_detections(truth, one, **SIZE) for one in (distinct, shuffled))
    np.testing.assert_array_equal(first.precision, second.precision)


def test_mistakes():
    truth, one = objects([[0, 0, 1, 1]]), found([[0, 0, 1, 1]], [0.5])
    size = {'num_images': 1, 'num_classes': 1}
    with pytest.raises(ValueError, match='scores must be finite, 1 of 1'):
        evaluate_detections(truth, found([[0, 0, 1, 1]], [np.nan]), **size)
    with pytest.raises(ValueError, match='boxes must be finite, 2 of 4'):
        evaluate_detections(truth, found([[0, 0, np.inf, np.nan]], [0.5]), **size)
    with pytest.raises(ValueError, match='detection classes must lie in 0 to 0, found 3 to 3'):
        evaluate_detections(truth, found([[0, 0, 1, 1]], [0.5], classes=3), **size)
    with pytest.raises(ValueError, match="'segm' needs masks"):
        evaluate_detections(truth, one, **size, iou_type='segm')
    with pytest.raises(ValueError, match='scores has 2 entries, expected 1'):
        found([[0, 0, 1, 1]], [0.5, 0.6])
    with pytest.raises(ValueError, match='IoU 0.6 was not evaluated'):
        average_precision(evaluate_detections(truth, one, **size, iou_thresholds=np.array([0.5])), iou=0.6)
