"""A visual report of a detector on the test set of its config: curves, kinds of errors, worst and best images."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config, ConfigDict

from florence.apis.model_loading import use_whole_checkpoint
from florence.atomic_files import write_json
from florence.engine.launch import build_runner
from florence.evaluation.functional.box_ap import IOU_THRESHOLDS, RECALLS, evaluate_detections
from florence.evaluation.functional.box_ap_inputs import Detections, GroundTruth
from florence.evaluation.functional.coco_annotations import load_annotation_file
from florence.evaluation.functional.coco_summary import average_precision
from florence.evaluation.functional.detection_errors import (
    ErrorSplit,
    ImageBoxes,
    best_threshold,
    detection_kinds,
    split_errors,
)  # fmt: skip
from florence.evaluation.leaderboards import read_boxes
from florence.registry import DATASETS
from florence.visualization.detections import BoxSet, DetectionPanel, draw_detection_sheet
from florence.visualization.pr_curves import draw_pr_curves
from florence.visualization.report_page import ReportTable, write_report_page

CURVE_THRESHOLDS = (0.5, 0.75)


@dataclass(frozen=True)
class _Image:
    """An image of the test set with what was found in it."""

    img_id: Any
    index: int
    truth: ImageBoxes
    found: ImageBoxes
    kinds: np.ndarray

    @property
    def num_objects(self) -> int:
        """Objects that are no crowd."""
        assert self.truth.crowd is not None
        return int((~self.truth.crowd).sum())

    def errors(self, threshold: float) -> ErrorSplit:
        """Errors of the detections that are at least so sure."""
        assert self.found.scores is not None
        return split_errors(self.kinds, self.found.scores, self.num_objects, threshold)


def make_detection_report(
    cfg: Config, predictions: str, out_dir: str, *, num_images: int = 12, score_threshold: float | None = None
) -> dict[str, Any]:
    """Write `report.json`, `pr_curves.png`, pictures and `index.html`; the page last, so that it is there only if all is.

    Args:
        cfg: Config with a `test_dataloader`.
        predictions: Detections in COCO's form (`.json`, `.zip`), or a checkpoint, which is then run on the test set.
        out_dir: Folder to write to.
        num_images: Images that are drawn, half of them the worst, half the best by F1.
        score_threshold: Detections below it are no errors and are not drawn; None: the one with the highest F1.

    Returns:
        What `report.json` holds.

    Raises:
        FileNotFoundError: If predictions are missing.
        ValueError: If the test set has no images, predictions are broken or do not belong to it, or an argument is out of range.
    """
    if num_images < 0 or (score_threshold is not None and not np.isfinite(score_threshold)):
        raise ValueError(f'expected 0 or more images and a finite score, got {num_images} and {score_threshold}.')
    dataset = _test_set(cfg)
    classes = tuple(dataset.metainfo['classes'])
    if Path(predictions).suffix not in ('.json', '.zip'):
        predictions = _run(cfg, dataset, predictions, out_dir)
    images = _images(dataset, read_boxes(predictions), _label_of(dataset, classes))
    kinds = np.concatenate([image.kinds for image in images])
    scores = np.concatenate([image.found.scores for image in images])
    num_objects = sum(image.num_objects for image in images)
    threshold = best_threshold(kinds, scores, num_objects) if score_threshold is None else score_threshold
    result = _evaluate(images, len(classes))
    precisions = {iou: result.precision[np.isclose(IOU_THRESHOLDS, iou).argmax(), :, :, 0, -1] for iou in CURVE_THRESHOLDS}
    draw_pr_curves(RECALLS, precisions, classes, Path(out_dir, 'pr_curves.png'))
    whole, extremes = split_errors(kinds, scores, num_objects, threshold), _extremes(images, threshold, num_images)
    report = {
        'num_images': len(images),
        'num_objects': num_objects,
        'num_detections': len(scores),
        'score_threshold': threshold,
        'AP': average_precision(result),
        'AP50': average_precision(result, iou=0.5),
        'AP75': average_precision(result, iou=0.75),
        'precision': whole.precision,
        'recall': whole.recall,
        'f1': whole.f1,
        'errors': whole.counts,
        'classes': _class_rows(images, classes, result, threshold),
        'images': {name: _draw(chosen, dataset, classes, threshold, name, out_dir) for name, chosen in extremes.items()},
    }
    write_json(Path(out_dir, 'report.json'), report)
    _write_page(report, out_dir)
    return report


def _test_set(cfg: Config) -> Any:
    """The test set without its pipeline: its samples are the annotations."""
    if not cfg.get('test_dataloader') or 'dataset' not in cfg.test_dataloader:
        raise ValueError('the config needs one test_dataloader with a data set to report on.')
    wrapped = {'dataset', 'datasets'} & set(cfg.test_dataloader.dataset)
    if wrapped:
        raise ValueError(f'the test set of the config wraps others ({cfg.test_dataloader.dataset.type}): name one of them.')
    from mmengine.registry import init_default_scope

    init_default_scope(cfg.get('default_scope', 'mmengine'))
    dataset = DATASETS.build(ConfigDict({**cfg.test_dataloader.dataset, 'pipeline': []}))
    if not len(dataset):
        raise ValueError('the test set of the config has no image.')
    return dataset


def _run(cfg: Config, dataset: Any, checkpoint: str, out_dir: str) -> str:
    """Detections of a checkpoint on the test set; returns their file."""
    if '://' not in checkpoint and not Path(checkpoint).is_file():
        raise FileNotFoundError(f'no checkpoint and no detections at {checkpoint!r}: check the path.')
    use_whole_checkpoint(cfg, checkpoint)
    prefix = str(Path(out_dir, 'predictions'))
    cfg.test_evaluator = ConfigDict(
        type='florence.CocoDetectionMetric', ann_file=getattr(dataset, 'ann_file', None), outfile_prefix=prefix
    )
    cfg.work_dir = str(Path(out_dir, 'run'))
    build_runner(cfg).test()
    return f'{prefix}.bbox.json'


def _label_of(dataset: Any, classes: Sequence[str]) -> dict[int, int]:
    """Label of each category id; a data set without annotation file has its labels as ids."""
    ann_file = getattr(dataset, 'ann_file', None)
    if ann_file is None:
        return {label: label for label in range(len(classes))}
    categories = load_annotation_file(ann_file)['categories']
    return {category['id']: classes.index(category['name']) for category in categories if category['name'] in classes}


def _images(dataset: Any, records: list[dict], label_of: dict[int, int]) -> list[_Image]:
    """Truth and detections of every image, with the kind of each detection."""
    by_image: dict[Any, list[dict]] = {}
    for record in records:
        if record['category_id'] not in label_of:
            raise ValueError(f'a detection has category {record["category_id"]}, which the test set of the config does not have.')
        by_image.setdefault(record['image_id'], []).append(record)
    images = []
    for index in range(len(dataset)):
        info = dataset[index]
        truth = info['instances']
        boxes = ImageBoxes(
            np.array([instance['bbox'] for instance in truth], float).reshape(-1, 4),
            np.array([instance['bbox_label'] for instance in truth], int),
            crowd=np.array([instance.get('ignore_flag', 0) for instance in truth], bool),
        )
        found = _detections(by_image.pop(info['img_id'], []), label_of)
        images.append(_Image(info['img_id'], index, boxes, found, detection_kinds(found, boxes)))
    if by_image:
        raise ValueError(f'{len(by_image)} images of the detections are not in the test set, e.g. {next(iter(by_image))!r}.')
    return images


def _detections(records: list[dict], label_of: dict[int, int]) -> ImageBoxes:
    boxes = np.array([record['bbox'] for record in records], float).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]  # xywh -> xyxy
    labels = np.array([label_of[record['category_id']] for record in records], int)
    return ImageBoxes(boxes, labels, np.array([record['score'] for record in records], float))


def _evaluate(images: list[_Image], num_classes: int) -> Any:
    """Precision and recall by COCO's rules."""
    truth, found = [image.truth for image in images], [image.found for image in images]
    boxes = _xywh(truth)
    return evaluate_detections(
        GroundTruth(
            images=_owner(truth),
            classes=np.concatenate([each.labels for each in truth]),
            boxes=boxes,
            areas=boxes[:, 2:].prod(1),
            crowd=np.concatenate([each.crowd for each in truth]),
        ),
        Detections(
            images=_owner(found),
            classes=np.concatenate([each.labels for each in found]),
            boxes=_xywh(found),
            scores=np.concatenate([each.scores for each in found]),
        ),
        num_images=len(images),
        num_classes=num_classes,
    )


def _xywh(sets: list[ImageBoxes]) -> np.ndarray:
    boxes = np.concatenate([each.boxes for each in sets])
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)


def _owner(sets: list[ImageBoxes]) -> np.ndarray:
    return np.repeat(np.arange(len(sets)), [len(each.labels) for each in sets])


def _class_rows(images: list[_Image], classes: Sequence[str], result: Any, threshold: float) -> list[dict[str, Any]]:
    kinds, labels = np.concatenate([image.kinds for image in images]), np.concatenate([image.found.labels for image in images])
    scores = np.concatenate([image.found.scores for image in images])
    objects = np.concatenate([image.truth.labels[image.truth.crowd == 0] for image in images])
    num_objects = np.bincount(objects, minlength=len(classes)).tolist()
    rows = []
    for label, name in enumerate(classes):
        own = labels == label
        errors = split_errors(kinds[own], scores[own], num_objects[label], threshold).counts
        figures = {'AP': average_precision(result, classes=[label]), 'AP50': average_precision(result, classes=[label], iou=0.5)}
        rows.append({'name': name, 'num_objects': num_objects[label], **figures, 'errors': errors})
    return rows


def _extremes(images: list[_Image], threshold: float, count: int) -> dict[str, list[_Image]]:
    """The worst images, and the best ones of the others; of equal ones those with more objects come first."""
    ranked = sorted(images, key=lambda image: (image.errors(threshold).f1, -image.num_objects))
    worst, rest = ranked[: count - count // 2], ranked[count - count // 2 :]
    best = sorted(rest, key=lambda image: (-image.errors(threshold).f1, -image.num_objects))[: count // 2]
    return {'worst': worst, 'best': best}


def _draw(
    images: list[_Image], dataset: Any, classes: Sequence[str], threshold: float, name: str, out_dir: str | os.PathLike
) -> list[dict[str, Any]]:
    """Draw truth and detections side by side; returns what is shown where."""
    entries = []
    for rank, image in enumerate(images, 1):
        errors = image.errors(threshold)
        assert image.found.scores is not None
        shown = image.found.scores >= threshold
        panel = DetectionPanel(
            _pixels(dataset[image.index]),
            BoxSet(image.found.boxes[shown], [classes[i] for i in image.found.labels[shown]], image.found.scores[shown]),
            BoxSet(image.truth.boxes, [classes[label] for label in image.truth.labels]),
            f'image {image.img_id}: F1 {errors.f1:.2f}; ' + ', '.join(f'{n} {kind}' for kind, n in errors.counts.items() if n),
        )
        file = f'pictures/{name}_{rank:02d}.png'
        draw_detection_sheet([panel], Path(out_dir, file), classes=classes)
        entries.append({'img_id': image.img_id, 'f1': errors.f1, 'errors': errors.counts, 'picture': file})
    return entries


def _pixels(info: dict) -> np.ndarray:
    """The image as RGB: rendered by the data set, or read as detectors read it."""
    import mmcv

    image = info['img'] if 'img' in info else mmcv.imread(info['img_path'])
    if image is None:
        raise ValueError(f'the image {info["img_path"]} cannot be decoded.')
    return np.ascontiguousarray(image[..., ::-1])


def _write_page(report: dict[str, Any], out_dir: str | os.PathLike) -> None:
    kinds = list(report['errors'])
    names = ('AP', 'AP50', 'AP75', 'precision', 'recall', 'f1', 'score_threshold', 'num_images', 'num_objects', 'num_detections')
    rows = [[row['name'], row['num_objects'], row['AP'], row['AP50'], *row['errors'].values()] for row in report['classes']]
    rows.append(['all', report['num_objects'], report['AP'], report['AP50'], *report['errors'].values()])
    tables = [
        ReportTable('Figures', ['figure', 'value'], [[name, report[name]] for name in names]),
        ReportTable('Classes and kinds of errors', ['class', 'objects', 'AP', 'AP50', *kinds], rows),
    ]
    pictures = {'Precision and recall': ['pr_curves.png']}
    for name, entries in report['images'].items():
        pictures[f'{name} images'.capitalize()] = [entry['picture'] for entry in entries]
    write_report_page(Path(out_dir, 'index.html'), 'Detection report', tables, pictures)
