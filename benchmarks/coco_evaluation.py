"""Evaluation of COCO detections: time and peak memory of ours beside pycocotools (and faster-coco-eval where it is installed).

    python benchmarks/coco_evaluation.py --json coco_evaluation.json
    python benchmarks/coco_evaluation.py --images 100000 --contestants ours

The data are made up with COCO's proportions: a long tail of classes, about seven objects an image, sizes from 8 to 480 pixels,
100 detections an image of which a third belong to an object. All contestants must give the same twelve numbers, or the run fails.

Two times, in seconds: `evaluate` starts from what the contestant keeps in memory (arrays for ours, indexed dicts for the others);
`whole` adds the way from arrays of the model to there. `peak_mb` is what a fresh process that does the whole adds to its resident
set at its peak. `ratio` is the contestant's figure over ours. Runs take turns; times are medians.
"""

import argparse
import contextlib
import importlib.util
import io
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
from reporting import hardware, publish, resident_mb

from florence.evaluation.functional.box_ap import evaluate_detections
from florence.evaluation.functional.box_ap_inputs import Detections, GroundTruth
from florence.evaluation.functional.coco_summary import coco_stats

CLASSES = 80
PER_IMAGE = 100
Arrays = dict[str, np.ndarray]


def made_up(images: int, seed: int = 0) -> tuple[Arrays, Arrays]:
    """Objects and detections of a data set, as columns."""
    rng = np.random.default_rng(seed)
    chances = 1 / np.arange(1, CLASSES + 1)
    counts = rng.gamma(1.0, 7.8, images).astype(int)
    of_image = np.repeat(np.arange(images), counts)
    total = len(of_image)
    present = rng.choice(CLASSES, (images, 3), p=chances / chances.sum())
    truth = {
        'image_id': of_image,
        'category_id': present[of_image, rng.integers(0, 3, total)],
        'bbox': boxes(rng, total),
        'iscrowd': rng.random(total) < 0.01,
    }
    truth['area'] = truth['bbox'][:, 2] * truth['bbox'][:, 3] * rng.uniform(0.4, 1, total)
    rows = np.repeat(np.arange(images), PER_IMAGE)
    starts = np.cumsum(counts) - counts
    source = np.minimum(starts[rows] + (rng.random(len(rows)) * counts[rows]).astype(int), total - 1)
    real = (counts[rows] > 0) & (rng.random(len(rows)) < 0.35)
    near = truth['bbox'][source]
    side = np.sqrt(near[:, 2:].prod(1))[:, None]
    near = near + rng.normal(0, 1, near.shape) * side * rng.choice([0.03, 0.08, 0.3], (len(rows), 1))
    near[:, 2:] = np.maximum(near[:, 2:], 1)
    right = real & (rng.random(len(rows)) < 0.85)
    scores = np.where(real, rng.beta(2, 2, len(rows)), rng.beta(1, 8, len(rows))).astype(np.float32)
    order = np.lexsort((-scores, rows))
    found = {
        'image_id': rows,
        'category_id': np.where(right, truth['category_id'][source], rng.integers(0, CLASSES, len(rows)))[order],
        'bbox': np.where(real[:, None], near, boxes(rng, len(rows)))[order].astype(np.float32).astype(np.float64),
        'score': scores[order].astype(np.float64),
    }
    return truth, found


def boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    side, stretch = np.exp(rng.normal(4.1, 1, count)).clip(8, 480), np.exp(rng.normal(0, 0.4, count))
    width, height = (side * stretch).clip(2, 640), (side / stretch).clip(2, 480)
    return np.c_[rng.random(count) * (640 - width), rng.random(count) * (480 - height), width, height]


def records(columns: Arrays) -> list[dict]:
    """One dict per row, as JSON holds them."""
    return [dict(zip(columns, row)) for row in zip(*(column.tolist() for column in columns.values()))]


def run_ours(truth: Arrays, found: Arrays, images: int) -> tuple[np.ndarray, float]:
    objects = GroundTruth(truth['image_id'], truth['category_id'], truth['bbox'], truth['area'], truth['iscrowd'])
    detections = Detections(found['image_id'], found['category_id'], found['bbox'], found['score'])
    start = time.perf_counter()
    result = evaluate_detections(objects, detections, num_images=images, num_classes=CLASSES)
    return coco_stats(result), time.perf_counter() - start


def run_pycocotools(truth: Arrays, found: Arrays, images: int) -> tuple[np.ndarray, float]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    return run_official(COCO, COCOeval, truth, found, images)


def run_faster(truth: Arrays, found: Arrays, images: int) -> tuple[np.ndarray, float]:
    from faster_coco_eval import COCO, COCOeval_faster

    return run_official(COCO, COCOeval_faster, truth, found, images)


def run_official(api: type, evaluator: type, truth: Arrays, found: Arrays, images: int) -> tuple[np.ndarray, float]:
    """Twelve numbers and seconds of `evaluate`, by an interface like that of pycocotools."""
    annotations = records({'id': np.arange(1, 1 + len(truth['image_id'])), **truth})
    for annotation in annotations:
        annotation['iscrowd'] = int(annotation['iscrowd'])
    names = {'images': range(images), 'categories': range(CLASSES)}
    with contextlib.redirect_stdout(io.StringIO()):
        objects = api()
        objects.dataset = {part: [{'id': index, 'name': str(index)} for index in ids] for part, ids in names.items()}
        objects.dataset['annotations'] = annotations
        objects.createIndex()
        detections = objects.loadRes(records(found))
        start = time.perf_counter()
        evaluation = evaluator(objects, detections, 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return np.asarray(evaluation.stats[:12]), time.perf_counter() - start


def contestants(wanted: list[str] | None) -> dict[str, Callable]:
    runs = {'ours': run_ours, 'pycocotools': run_pycocotools}
    if importlib.util.find_spec('faster_coco_eval'):
        runs['faster_coco_eval'] = run_faster
    return {name: run for name, run in runs.items() if not wanted or name in wanted}


def peak_mb(name: str, images: int) -> float:
    """Measured in a fresh process, after a small run has loaded the libraries."""
    command = [sys.executable, __file__, '--images', str(images), '--memory-of', name]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def extra_memory(name: str, images: int) -> float:
    run = contestants(None)[name]
    run(*made_up(50), 50)
    data = made_up(images)
    # forgets the peak of making the data
    Path('/proc/self/clear_refs').write_text('5')
    before = resident_mb('VmRSS')
    run(*data, images)
    return round(resident_mb('VmHWM') - before, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, default=5000)
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--contestants', nargs='+', choices=('ours', 'pycocotools', 'faster_coco_eval'))
    parser.add_argument('--json', type=Path, help='also write the result here')
    parser.add_argument('--memory-of', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory_of:
        print(extra_memory(args.memory_of, args.images))
        return
    runs = contestants(args.contestants)
    truth, found = made_up(args.images)
    times: dict[str, dict[str, list[float]]] = {name: {'whole': [], 'evaluate': []} for name in runs}
    stats = {}
    for _ in range(args.repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            stats[name], evaluate = run(truth, found, args.images)
            times[name]['whole'].append(time.perf_counter() - start)
            times[name]['evaluate'].append(evaluate)
    different = [name for name in runs if not np.array_equal(stats[name], stats[next(iter(runs))])]
    if different:
        raise SystemExit(f'error: the twelve numbers differ, the comparison is void: {stats}')
    figures = {name: {key: round(statistics.median(own), 3) for key, own in parts.items()} for name, parts in times.items()}
    for name in figures:
        figures[name]['peak_mb'] = peak_mb(name, args.images)
    ours = figures.get('ours')
    report = {
        'benchmark': 'coco_evaluation',
        'ratio': {
            name: {key: round(own[key] / ours[key], 2) for key in own} for name, own in figures.items() if ours and name != 'ours'
        },
        'equal_twelve_numbers': len(runs) > 1,
        'stats': stats[next(iter(runs))].tolist(),
        **figures,
        **{'images': args.images, 'objects': len(truth['area']), 'detections': len(found['score']), 'repeats': args.repeats},
        'versions': {name: version(name) for name in ('numpy', 'pycocotools')} | {'python': platform.python_version()},
        'hardware': hardware(),
    }
    publish(report, args.json)


if __name__ == '__main__':
    main()
