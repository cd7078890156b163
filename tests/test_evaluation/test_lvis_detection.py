"""LVIS's rules: figures of the authors' code, cases by hand, the metric through mmengine's Evaluator."""

import json
from dataclasses import replace

import numpy as np
import pytest
from mmengine.evaluator import Evaluator
from test_evaluation.detection_cases import federated_case, perturbed, samples_of

from florence.evaluation.functional.box_ap import evaluate_detections
from florence.evaluation.functional.box_ap_inputs import Detections
from florence.evaluation.functional.coco_annotations import load_annotation_file, to_arrays
from florence.evaluation.functional.coco_summary import average_precision
from florence.evaluation.functional.lvis_federated import best_of_each, evaluate_lvis, read_rules
from florence.registry import METRICS

NAMES = ('AP', 'AP50', 'AP75', 'APs', 'APm', 'APl', 'APr', 'APc', 'APf', 'AR', 'ARs', 'ARm', 'ARl')
# By lvis-api 7d7f07de on the same cases, with the same limits.
GOLDEN = {
    (3, 8, None): (
        0.34132484677, 0.643652758133, 0.244843234323, 0.19146039604, 0.442740452617, -1.0, 0.190694247996,
        0.491955445545, -1.0, 0.43125, 0.375, 0.491666666667, -1.0,
    ),
    (3, None, 5): (
        0.373927392739, 0.639851485149, 0.286303630363, 0.075742574257, 0.55952970297, -1.0, 0.297854785479,
        0.45, -1.0, 0.491666666667, 0.15, 0.6, -1.0,
    ),
    (7, 8, None): (
        0.405857412272, 0.514211625244, 0.472115578905, 0.0, 0.537611975483, 0.696468646865, 0.303190319032,
        0.503916784536, 0.461798679868, 0.5, 0.0, 0.596666666667, 0.745,
    ),
    (7, None, 5): (
        0.356433286186, 0.436586515794, 0.41961338991, 0.0, 0.37171145686, 0.64198019802, 0.291254125413,
        0.402301980198, 0.408333333333, 0.415, 0.0, 0.391904761905, 0.665,
    ),
}  # fmt: skip


def ignored_of(content):
    return np.array([bool(annotation.get('ignore', 0)) for annotation in content['annotations']], bool)


@pytest.mark.parametrize(('seed', 'per_image', 'per_class'), list(GOLDEN))
def test_figures_of_the_authors_code(seed, per_image, per_class):
    content, detections = federated_case(seed)
    annotations = to_arrays(content)
    truth = replace(annotations.truth, ignored=ignored_of(content))
    limits = {'max_per_image': per_image, 'max_per_class': per_class}
    figures = evaluate_lvis(truth, detections, read_rules(content, annotations), num_images=6, **limits)
    assert tuple(figures) == NAMES
    np.testing.assert_allclose(list(figures.values()), GOLDEN[seed, per_image, per_class], atol=1e-11)


def federated_file(test_data):
    """Real boxes with every class known in every image: nothing is federated about it."""
    content = load_annotation_file(test_data / 'coco_mini/annotations/instances_val2017.json')
    kept = [one for one in content['annotations'] if not one['iscrowd']]
    content['annotations'] = kept
    present = {}
    for one in kept:
        present.setdefault(one['image_id'], set()).add(one['category_id'])
    for image in content['images']:
        absent = {one['id'] for one in content['categories']} - present.get(image['id'], set())
        image |= {'neg_category_ids': sorted(absent), 'not_exhaustive_category_ids': []}
    for index, category in enumerate(content['categories']):
        category['frequency'] = 'rcf'[index % 3]
    return content


def test_without_federation_it_is_the_ap_of_coco(test_data):
    content = federated_file(test_data)
    annotations = to_arrays(content)
    detections = perturbed(annotations.truth, np.random.default_rng(0))
    size = {'num_images': len(annotations.image_ids), 'num_classes': len(annotations.names)}
    coco = evaluate_detections(annotations.truth, detections, **size, max_dets=(1, 10, 300))
    lvis = evaluate_lvis(annotations.truth, detections, read_rules(content, annotations), num_images=size['num_images'])
    assert lvis['AP'] == average_precision(coco) and lvis['APs'] == average_precision(coco, area='small')
    rare = [index for index in range(80) if index % 3 == 0]
    assert lvis['APr'] == average_precision(coco, classes=rare) != lvis['AP'] > 0.1


def tiny_file(**image):
    box = [0, 0, 10, 10]
    return {
        'images': [{'id': 1, 'height': 50, 'width': 50, 'neg_category_ids': [], 'not_exhaustive_category_ids': [], **image}],
        'categories': [{'id': 5, 'name': 'cat', 'frequency': 'f'}, {'id': 9, 'name': 'dog', 'frequency': 'r'}],
        'annotations': [{'id': 1, 'image_id': 1, 'category_id': 5, 'bbox': box, 'area': 100}],
    }


def tiny_figures(content, **options):
    """A dog where there is none, a wrong cat, the right cat."""
    boxes = np.array([[0, 0, 10, 10], [30, 30, 10, 10], [0, 0, 10, 10]], float)
    detections = Detections(np.zeros(3, int), np.array([1, 0, 0]), boxes, np.array([0.9, 0.8, 0.7]))
    annotations = to_arrays(content)
    return evaluate_lvis(annotations.truth, detections, read_rules(content, annotations), num_images=1, **options)


def test_rules_by_hand():
    assert tiny_figures(tiny_file())['AP'] == pytest.approx(0.5), 'the wrong cat counts, the dog is of an unknown class'
    assert tiny_figures(tiny_file(neg_category_ids=[9]))['AP'] == pytest.approx(0.5), 'no dog is annotated in any image'
    assert tiny_figures(tiny_file(not_exhaustive_category_ids=[5]))['AP'] == pytest.approx(1.0), 'the wrong cat is forgiven'
    assert tiny_figures(tiny_file())['APf'] == pytest.approx(0.5) and tiny_figures(tiny_file())['APr'] == -1.0
    assert tiny_figures(tiny_file(), max_per_image=2)['AP'] == 0.0, 'the dog takes a place of the image'
    assert tiny_figures(tiny_file(), max_per_image=None, max_per_class=1)['AP'] == 0.0
    assert tiny_figures(tiny_file(), max_per_image=None, max_per_class=2)['AP'] == pytest.approx(0.5)


def test_best_of_each_keeps_order_and_first_of_equals():
    boxes = np.arange(24).reshape(6, 4).astype(float)
    detections = Detections(np.zeros(6, int), np.array([0, 1, 0, 0, 1, 0]), boxes, np.array([0.5, 0.1, 0.9, 0.5, 0.2, 0.5]))
    kept = best_of_each(detections, detections.classes, 2)
    np.testing.assert_array_equal(kept.boxes, boxes[[0, 1, 2, 4]])


def test_metric(tmp_path):
    content, detections = federated_case(7)
    (tmp_path / 'lvis.json').write_text(json.dumps(content))
    annotations = to_arrays(content)
    config = {'type': 'LVISDetectionMetric', 'ann_file': str(tmp_path / 'lvis.json'), 'max_per_image': 8}
    metric = METRICS.build({**config, 'fixed_ap': True, 'max_per_class': 5, 'outfile_prefix': str(tmp_path / 'out')})
    metric.dataset_meta = {'classes': annotations.names}
    evaluator = Evaluator([metric])
    samples = samples_of(detections, annotations)
    evaluator.process(samples)
    figures = evaluator.evaluate(len(samples))
    expected = dict(zip(NAMES, GOLDEN[7, 8, None]))
    # scores and boxes went through float32
    assert figures['lvis/bbox_AP'] == pytest.approx(expected['AP'], abs=0.02)
    assert figures['lvis/bbox_ARm@8'] == pytest.approx(expected['ARm'], abs=0.02)
    assert figures['lvis/bbox_fixed_APf'] == pytest.approx(GOLDEN[7, None, 5][8], abs=0.02)
    assert len(json.loads((tmp_path / 'out.bbox.json').read_text())) == len(detections.images)
    assert METRICS.build(config).max_per_image == 8


def test_fewer_classes_than_the_file(tmp_path):
    content, detections = federated_case(7)
    (tmp_path / 'lvis.json').write_text(json.dumps(content))
    annotations = to_arrays(content)
    metric = METRICS.build({'type': 'LVISDetectionMetric', 'ann_file': str(tmp_path / 'lvis.json')})
    chosen = np.flatnonzero(detections.classes == 2)
    own = replace(detections.select(chosen), classes=np.zeros(len(chosen), int))
    metric.dataset_meta = {'classes': [annotations.names[2]]}
    metric.process({}, samples_of(own, annotations))
    figures = metric.compute_metrics(metric.results)
    assert figures['bbox_AP'] == figures['bbox_APf'] > 0 and figures['bbox_APr'] == -1.0


def test_mistakes(tmp_path):
    plain = tiny_file()
    del plain['categories'][0]['frequency']
    with pytest.raises(ValueError, match="1 of 2 categories of the annotation file lack 'frequency'"):
        read_rules(plain, to_arrays(plain))
    with pytest.raises(FileNotFoundError, match='no annotation file'):
        METRICS.build({'type': 'LVISDetectionMetric', 'ann_file': str(tmp_path / 'none.json')})
    (tmp_path / 'lvis.json').write_text(json.dumps(tiny_file()))
    config = {'type': 'LVISDetectionMetric', 'ann_file': str(tmp_path / 'lvis.json')}
    with pytest.raises(ValueError, match="must be of .*'bbox', 'segm'"):
        METRICS.build({**config, 'metric': 'proposal'})
    metric = METRICS.build(config)
    metric.dataset_meta = {'classes': ('cat', 'wolf')}
    with pytest.raises(ValueError, match="1 of 2 classes .* 'wolf'"):
        metric.compute_metrics(['anything'])
