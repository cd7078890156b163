"""One rank of `test_coco_detection.py`: FOLDER; writes its figures to FOLDER/figures<rank>.json."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import Evaluator
from test_evaluation.detection_cases import dirty_case, samples_of

from florence.evaluation.functional.coco_annotations import CocoAnnotations
from florence.registry import METRICS

IMAGES = 7


def evaluate(folder: Path) -> dict[str, float]:
    """Figures on seeded predictions, of which this rank processes its share; the objects come with the samples."""
    truth, detections = dirty_case(np.random.default_rng(11), images=IMAGES, most_objects=60)
    annotations = CocoAnnotations(list(range(IMAGES)), np.full((IMAGES, 2), 200), list(range(4)), tuple('abcd'), truth)
    instances = [
        [
            {'bbox': np.r_[box[:2], box[:2] + box[2:]].tolist(), 'bbox_label': int(label), 'ignore_flag': 0}
            for box, label in zip(truth.boxes[truth.images == index], truth.classes[truth.images == index])
        ]
        for index in range(IMAGES)
    ]
    samples = samples_of(detections, annotations, instances=instances)
    metric = METRICS.build({'type': 'CocoDetectionMetric', 'collect_dir': str(folder / 'parts')})
    metric.dataset_meta = {'classes': annotations.names}
    evaluator = Evaluator([metric])
    for index in DefaultSampler(range(IMAGES), shuffle=False, seed=0):
        evaluator.process([samples[index]])
    return evaluator.evaluate(IMAGES)


if __name__ == '__main__':
    torch.distributed.init_process_group('gloo')
    Path(sys.argv[1], f'figures{os.environ["RANK"]}.json').write_text(json.dumps(evaluate(Path(sys.argv[1]))))
    torch.distributed.destroy_process_group()
