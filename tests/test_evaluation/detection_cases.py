"""Objects and detections with all the dirt that evaluation meets, and the samples of mmdet around them."""

import numpy as np
import torch

from florence.evaluation.functional.box_ap_inputs import Detections, GroundTruth


def dirty_case(rng, images=6, classes=4, most_objects=40, most_detections=120):
    """Crowds, boxes without extent, empty images and classes, equal overlaps (boxes on a grid) and equal scores."""
    on_grid, coarse_scores = rng.random(2) < 0.5
    num_objects, num_detections = rng.integers(0, most_objects + 1), rng.integers(0, most_detections + 1)

    def boxes(count):
        result = rng.random((count, 4)) * np.r_[60, 60, np.full(2, 60 * rng.choice([0.3, 1, 3]))]
        result = np.round(result / 4) * 4 if on_grid else result
        result[rng.random(count) < 0.05, 2] = 0
        return result

    objects = boxes(num_objects)
    truth = GroundTruth(
        images=rng.integers(0, images, num_objects),
        classes=rng.integers(0, classes, num_objects),
        boxes=objects,
        areas=objects[:, 2] * objects[:, 3] * rng.choice([0.5, 1]),
        crowd=rng.random(num_objects) < 0.15,
    )
    found, of_image, of_class = boxes(num_detections), *rng.integers(0, [[images], [classes]], (2, num_detections))
    if num_objects:
        near, source = rng.random(num_detections) < 0.8, rng.integers(0, num_objects, num_detections)
        noise = rng.normal(0, rng.choice([0.5, 3]), (num_detections, 4)) * (rng.random() < 0.7)
        found[near] = (objects[source] + noise)[near]
        found[:, 2:] = np.maximum(found[:, 2:], 0)
        of_image[near], of_class[near] = truth.images[source][near], truth.classes[source][near]
    scores = rng.random(num_detections)
    return truth, Detections(of_image, of_class, found, np.round(scores, 1) if coarse_scores else scores)


def perturbed(truth, rng, extra=2.0):
    """Detections of the objects moved a little, some of another class, some of nothing."""
    count = len(truth.images)
    source = np.r_[np.arange(count), rng.integers(0, count, int(count * extra))]
    boxes = truth.boxes[source]
    boxes = boxes + rng.normal(0, 0.12, boxes.shape) * np.sqrt(boxes[:, 2:].prod(1, keepdims=True))
    boxes[:, 2:] = np.maximum(boxes[:, 2:], 0)
    classes = np.where(rng.random(len(source)) < 0.1, rng.permutation(truth.classes[source]), truth.classes[source])
    scores = np.round(rng.random(len(source)), 2)
    return Detections(truth.images[source], classes, boxes, scores)


def samples_of(detections, annotations, **fields):
    """mmdet's `DetDataSample` per image, as dicts, as its Evaluator hands them on; extra fields come per image."""
    result = []
    for index, image_id in enumerate(annotations.image_ids):
        own = detections.images == index
        boxes = detections.boxes[own]
        instances = {
            'bboxes': torch.from_numpy(np.c_[boxes[:, :2], boxes[:, :2] + boxes[:, 2:]]).float(),
            'scores': torch.from_numpy(detections.scores[own]).float(),
            'labels': torch.from_numpy(detections.classes[own]),
        }
        if detections.masks is not None:
            instances['masks'] = [detections.masks[place] for place in np.flatnonzero(own)]
        sample = {'img_id': image_id, 'ori_shape': tuple(annotations.sizes[index]), 'pred_instances': instances}
        result.append(sample | {name: values[index] for name, values in fields.items()})
    return result


def federated_case(seed):
    """An annotation file in LVIS's format with 6 images and 7 classes, and its detections as `Detections` by ascending ids."""
    rng = np.random.default_rng(seed)
    truth, detections = dirty_case(rng, classes=7, most_objects=60)
    category_ids, image_ids = [10 + 3 * index for index in range(7)], [100 - 3 * index for index in range(6)]
    present = set(zip(truth.images.tolist(), truth.classes.tolist()))
    images = [
        {
            'id': image_id,
            'height': 200,
            'width': 200,
            'neg_category_ids': [category_ids[k] for k in range(7) if (index, k) not in present and rng.random() < 0.5],
            'not_exhaustive_category_ids': [category_ids[k] for k in range(7) if rng.random() < 0.3],
        }
        for index, image_id in enumerate(image_ids)
    ]
    annotations = [
        {
            'id': place + 1,
            'image_id': image_ids[image],
            'category_id': category_ids[category],
            'bbox': box,
            'area': area,
            'ignore': int(rng.random() < 0.1),
        }
        for place, (image, category, box, area) in enumerate(
            zip(truth.images.tolist(), truth.classes.tolist(), truth.boxes.tolist(), truth.areas.tolist())
        )
    ]
    categories = [{'id': one, 'name': f'class {one}', 'frequency': 'rcf'[k % 3]} for k, one in enumerate(category_ids)]
    content = {'images': images, 'categories': categories, 'annotations': annotations}
    # the ids of the images descend
    return content, Detections(5 - detections.images, detections.classes, detections.boxes, detections.scores)
