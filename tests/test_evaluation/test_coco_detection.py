"""COCO's metric on mmdet's samples: mmdet's own figures, splits of classes, files, messages, two ranks."""

import json
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from pycocotools import mask as coco_mask
from ranks import run_ranks
from test_evaluation.detection_cases import perturbed, samples_of

from florence.evaluation.functional.box_ap_inputs import Detections
from florence.evaluation.functional.coco_annotations import load_annotation_file, to_arrays
from florence.registry import METRICS

NAMES = ('cat', 'dog', 'bird')


def evaluate(config, samples, classes):
    """Through mmengine's Evaluator, in two batches."""
    metric = METRICS.build({'type': 'CocoDetectionMetric', **config})
    metric.dataset_meta = {'classes': classes}
    evaluator = Evaluator([metric])
    for batch in (samples[:3], samples[3:]):
        evaluator.process(batch)
    return evaluator.evaluate(len(samples))


@pytest.fixture
def coco(test_data):
    path = test_data / 'coco_mini/annotations/instances_val2017.json'
    return str(path), to_arrays(load_annotation_file(path))


@pytest.fixture
def small_file(tmp_path):
    """Two images; ids of categories descend along `NAMES`. Image 4 has a cat and a dog, image 9 a bird."""
    objects = [(4, 30, [0, 0, 40, 40]), (4, 20, [50, 50, 20, 20]), (9, 10, [5, 5, 10, 10])]
    content = {
        'images': [{'id': 9, 'height': 80, 'width': 100}, {'id': 4, 'height': 80, 'width': 100}],
        'categories': [{'id': 30 - 10 * index, 'name': name} for index, name in enumerate(NAMES)],
        'annotations': [
            {'id': index, 'image_id': image, 'category_id': category, 'bbox': box, 'area': box[2] * box[3], 'iscrowd': 0}
            for index, (image, category, box) in enumerate(objects)
        ],
    }
    (tmp_path / 'small.json').write_text(json.dumps(content))
    return str(tmp_path / 'small.json')


def small_samples(labels=((0, 1), (2,)), scores=((0.9, 0.8), (0.7,))):
    """Detections just on the objects, with the labels of `NAMES`."""
    boxes = (torch.tensor([[0.0, 0, 40, 40], [50, 50, 70, 70]]), torch.tensor([[5.0, 5, 15, 15]]))
    return [
        {
            'img_id': image_id,
            'ori_shape': (80, 100),
            'pred_instances': {'bboxes': box, 'labels': torch.tensor(label), 'scores': torch.tensor(score)},
        }
        for image_id, box, label, score in zip((4, 9), boxes, labels, scores)
    ]


def test_figures_of_mmdet(coco):
    """mmdet's metric on the same samples; it rounds, and names the same figures alike."""
    from mmdet.evaluation import CocoMetric

    path, annotations = coco
    samples = samples_of(perturbed(annotations.truth, np.random.default_rng(1)), annotations)
    ours = evaluate({'ann_file': path, 'metric': ['bbox', 'proposal']}, samples, annotations.names)
    theirs = CocoMetric(ann_file=path, metric=['bbox', 'proposal'])
    theirs.dataset_meta = {'classes': annotations.names}
    evaluator = Evaluator([theirs])
    evaluator.process(samples)
    expected = evaluator.evaluate(len(samples))
    assert len(expected) == 12
    assert {name: round(ours[name], 3) for name in expected} == expected
    assert 0.1 < ours['coco/bbox_mAP'] < 0.9
    assert len(ours) == 18


def test_backends_agree_on_boxes_and_masks(coco):
    path, _ = coco
    annotations = to_arrays(load_annotation_file(path), with_masks=True)
    truth = annotations.truth
    shifted = [coco_mask.encode(np.asfortranarray(np.roll(coco_mask.decode(one), 4, 0))) for one in truth.masks]
    scores = np.round(np.random.default_rng(0).random(len(shifted)), 2)
    samples = samples_of(Detections(truth.images, truth.classes, truth.boxes, scores, masks=shifted), annotations)
    first = samples[0]['pred_instances']
    first['masks'] = torch.from_numpy(np.stack([coco_mask.decode(one) for one in first['masks']]).astype(bool))
    config = {'ann_file': path, 'metric': ('bbox', 'segm')}
    ours = evaluate(config, samples, annotations.names)
    assert ours == evaluate({**config, 'backend': 'pycocotools'}, samples, annotations.names)
    assert 0.3 < ours['coco/segm_mAP'] < 0.99 < ours['coco/bbox_mAP']
    for sample in samples:
        sample['pred_instances']['mask_scores'] = sample['pred_instances']['scores'].flip(0)
    other = evaluate(config, samples, annotations.names)
    assert other['coco/bbox_mAP'] == ours['coco/bbox_mAP'] and other['coco/segm_mAP'] != ours['coco/segm_mAP']


def test_instances_of_the_samples_serve_as_ground_truth(coco):
    path, annotations = coco
    truth = annotations.truth
    instances = [
        [
            {'bbox': np.r_[box[:2], box[:2] + box[2:]].tolist(), 'bbox_label': int(label), 'ignore_flag': int(crowd)}
            for box, label, crowd in zip(*(column[truth.images == index] for column in (truth.boxes, truth.classes, truth.crowd)))
        ]
        for index in range(len(annotations.image_ids))
    ]
    samples = samples_of(perturbed(truth, np.random.default_rng(2)), annotations, instances=instances)
    from_samples, from_file = (evaluate(config, samples, annotations.names) for config in ({}, {'ann_file': path}))
    assert from_samples['coco/bbox_mAP'] == pytest.approx(from_file['coco/bbox_mAP'], abs=1e-6)
    # mAP of sizes differs: the file has the areas of the masks, the samples those of the boxes
    assert from_samples['coco/bbox_mAP_s'] != from_file['coco/bbox_mAP_s']


def test_labels_find_their_category_by_name(small_file):
    """The ids descend along the classes: taken by position, cats would be birds."""
    figures = evaluate({'ann_file': small_file, 'classwise': True}, small_samples(), NAMES)
    assert figures['coco/bbox_mAP'] == pytest.approx(1.0)
    wrong_cat = small_samples(labels=((2, 1), (2,)))
    figures = evaluate({'ann_file': small_file, 'classwise': True}, wrong_cat, NAMES)
    assert [figures[f'coco/bbox_mAP/{name}'] for name in NAMES[:2]] == pytest.approx([0.0, 1.0])
    assert figures['coco/bbox_mAP/bird'] == pytest.approx(0.5), 'the wrong bird scores higher'
    by_order = evaluate({'ann_file': small_file, 'match_by': 'id_order'}, small_samples(((2, 1), (0,))), ('Bird', 'Dog', 'Cat'))
    assert by_order['coco/bbox_mAP'] == pytest.approx(1.0)
    agnostic = evaluate({'ann_file': small_file, 'class_agnostic': True}, wrong_cat, NAMES)
    assert agnostic['coco/bbox_mAP'] == pytest.approx(1.0)


def test_base_and_novel_classes(small_file):
    groups = {'base': ['cat', 'dog'], 'novel': ['bird']}
    samples = small_samples(labels=((0, 0), (2,)))
    figures = evaluate({'ann_file': small_file, 'class_groups': groups}, samples, NAMES)
    assert figures['coco/bbox_base_mAP'] == pytest.approx(0.5) and figures['coco/bbox_novel_mAP_50'] == pytest.approx(1.0)
    assert figures['coco/bbox_mAP'] == pytest.approx(2 / 3)
    assert figures['coco/bbox_base_AR@100'] == pytest.approx(0.5)
    only = evaluate({'ann_file': small_file, 'eval_classes': ['bird', 'cat'], 'classwise': True}, samples, NAMES)
    assert only['coco/bbox_mAP'] == pytest.approx(1.0), 'the cat on the dog comes after the cat on the cat'
    assert {name.split('/')[-1] for name in only if name.startswith('coco/bbox_mAP/')} == {'cat', 'bird'}


def test_an_annotation_with_id_zero_is_found(small_file):
    """pycocotools takes id 0 for "not matched"; `small_file` counts from 0."""
    config = {'ann_file': small_file, 'class_agnostic': True}
    assert evaluate(config, small_samples(), NAMES)['coco/bbox_AR@100'] == 1.0


def test_written_results_give_the_same_figures(coco, tmp_path):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    path, annotations = coco
    samples = samples_of(perturbed(annotations.truth, np.random.default_rng(3)), annotations)
    prefix = str(tmp_path / 'results')
    figures = evaluate({'ann_file': path, 'outfile_prefix': prefix}, samples, annotations.names)
    assert evaluate({'ann_file': path, 'outfile_prefix': prefix, 'format_only': True}, samples, annotations.names) == {}
    api = COCO(path)
    evaluation = COCOeval(api, api.loadRes(f'{prefix}.bbox.json'), 'bbox')
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert list(figures.values()) == evaluation.stats.tolist()


def test_images_without_prediction_count(small_file):
    figures = evaluate({'ann_file': small_file}, small_samples()[:1], NAMES)
    assert figures['coco/bbox_mAP'] == pytest.approx(2 / 3)


def broken(**fields):
    samples = small_samples()
    samples[0]['pred_instances'] |= fields
    return samples


@pytest.mark.parametrize(
    ('samples', 'classes', 'message'),
    [
        (small_samples(), ('cat', 'Dog', 'bird'), r"1 of 3 classes .* 'Dog' \(is it 'dog'\?\)"),
        (small_samples(), ('cat', 'cat', 'bird'), "the data set has several classes called 'cat'"),
        (small_samples(), (), 'no class names'),
        (small_samples(((7, 1), (2,))), NAMES, 'image 4 has labels from 1 to 7, expected 0 to 2'),
        (broken(scores=torch.tensor([0.1, torch.nan])), NAMES, 'image 4: 1 of 2 numbers of scores are not finite'),
        (broken(bboxes=torch.full((2, 4), torch.inf)), NAMES, 'image 4: 8 of 8 numbers of boxes are not finite'),
        (broken(scores=torch.tensor([0.1])), NAMES, 'image 4 has 2 boxes, 1 scores and 2 labels'),
        ([{**sample, 'img_id': 77} for sample in small_samples()[:1]], NAMES, '1 predicted images .* first is 77'),
        (small_samples()[:1] * 2, NAMES, '2 predictions are of fewer images'),
        ([], NAMES, 'saw no sample'),
    ],
)
def test_mistakes_in_predictions(small_file, samples, classes, message):
    with pytest.raises(ValueError, match=message):
        evaluate({'ann_file': small_file}, samples, classes)


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        ({'metric': 'boxes'}, 'metric of CocoDetectionMetric must be of'),
        ({'metric': ()}, 'metric of CocoDetectionMetric must be of'),
        ({'backend': 'java'}, 'backend of CocoDetectionMetric must be of'),
        ({'format_only': True}, 'needs outfile_prefix'),
        ({'proposal_nums': (10, 5, 1)}, 'three ascending numbers'),
        ({'class_agnostic': True, 'classwise': True}, 'leaves classes aside'),
    ],
)
def test_mistakes_in_settings(small_file, config, message):
    with pytest.raises(ValueError, match=message):
        METRICS.build({'type': 'CocoDetectionMetric', 'ann_file': small_file, **config})


def test_groups_must_exist(small_file):
    with pytest.raises(ValueError, match="class_groups 'base': 1 of 1 classes .* 'wolf'"):
        evaluate({'ann_file': small_file, 'class_groups': {'base': ['wolf']}}, small_samples(), NAMES)
    with pytest.raises(ValueError, match="'novel' has no classes"):
        evaluate({'ann_file': small_file, 'class_groups': {'novel': []}}, small_samples(), NAMES)
    missing = small_samples()
    del missing[1]['pred_instances']['labels']
    with pytest.raises(KeyError, match=r"the prediction of image 9 lacks \['labels'\]"):
        evaluate({'ann_file': small_file}, missing, NAMES)


def faulty(content, part, index, **fields):
    content = json.loads(json.dumps(content))
    content[part][index] |= fields
    return content


def test_mistakes_in_annotation_files(small_file, tmp_path):
    content = load_annotation_file(small_file)
    with pytest.raises(ValueError, match='names image 5 and category 30, one of which'):
        to_arrays(faulty(content, 'annotations', 0, image_id=5))
    with pytest.raises(ValueError, match='1 ids of annotations more than once, the first is 1'):
        to_arrays(faulty(content, 'annotations', 2, id=1))
    with pytest.raises(ValueError, match='annotation 1 has the box'):
        to_arrays(faulty(content, 'annotations', 1, bbox=[1, 2, 3]))
    with pytest.raises(ValueError, match='expected finite numbers'):
        to_arrays(faulty(content, 'annotations', 1, bbox=[1, 2, 3, float('nan')]))
    with pytest.raises(ValueError, match="annotation 0 has no segmentation: metric 'segm'"):
        to_arrays(content, with_masks=True)
    (tmp_path / 'broken.json').write_text('{"images": [')
    with pytest.raises(ValueError, match='is no JSON'):
        load_annotation_file(tmp_path / 'broken.json')
    (tmp_path / 'list.json').write_text('[]')
    with pytest.raises(ValueError, match='lacks .*images'):
        load_annotation_file(tmp_path / 'list.json')


def test_objects365_order_means_nothing(small_file):
    """Its two files list the categories in different orders; sorted by id they agree."""
    content = load_annotation_file(small_file)
    shuffled = {**content, 'categories': content['categories'][::-1], 'images': content['images'][::-1]}
    first, second = to_arrays(content), to_arrays(shuffled)
    assert first.names == second.names == ('bird', 'dog', 'cat') and first.category_ids == [10, 20, 30]
    assert first.image_ids == second.image_ids == [4, 9]
    np.testing.assert_array_equal(first.truth.classes, second.truth.classes)
    without_area = [{key: value for key, value in one.items() if key != 'area'} for one in content['annotations']]
    assert to_arrays({**content, 'annotations': without_area}).truth.areas.tolist() == [1600, 400, 100]


def test_detections_need_not_be_sorted(coco):
    _, annotations = coco
    detections = perturbed(annotations.truth, np.random.default_rng(4))
    detections = replace(detections, scores=np.linspace(0, 1, len(detections.scores)))
    order = np.random.default_rng(0).permutation(len(detections.scores))
    sorted_figures, figures = (
        evaluate({'ann_file': coco[0]}, samples_of(one, annotations), annotations.names)
        for one in (detections, detections.select(order))
    )
    assert sorted_figures == figures


WORKER = Path(__file__).with_name('coco_detection_worker.py')


def test_two_ranks_equal_one_process(tmp_path):
    """Seven images on two ranks: the sampler pads one, which must not count."""
    run_ranks(WORKER, [str(tmp_path)], timeout=100)
    of_ranks = [json.loads((tmp_path / f'figures{rank}.json').read_text()) for rank in range(2)]
    alone = runpy.run_path(str(WORKER))['evaluate'](tmp_path)
    assert of_ranks == [alone, alone]
    assert 0 < alone['coco/bbox_mAP'] < 1
