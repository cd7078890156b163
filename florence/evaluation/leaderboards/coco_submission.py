"""Detection results as COCO, LVIS and Objects365 want them: a JSON list, in a zip with the name that the server expects.

Source: https://cocodataset.org/#format-results and #upload; LVIS takes 300 detections per image (arXiv 1908.03195). Boxes are
`xywh` in pixels of the original image, `category_id` is the id of the annotation file (COCO's run from 1 to 90 with gaps).
"""

import json
import re
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from florence.atomic_files import atomic_path
from florence.evaluation.functional.coco_predictions import ImagePrediction
from florence.evaluation.leaderboards.coco_submission_check import has_ids, is_box, is_id, is_number

MAX_PER_IMAGE = {'coco': 100, 'objects365': 100, 'lvis': 300}


def result_records(
    predictions: Iterable[ImagePrediction], category_ids: np.ndarray, *, masks: bool = False
) -> list[dict[str, Any]]:
    """One record per detection.

    Args:
        predictions: Of the images.
        category_ids: Id of each label, `(C,)`.
        masks: Whether the masks are the results, with their scores.
    """
    records = []
    for prediction in predictions:
        boxes = prediction.boxes.astype(np.float64)
        boxes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()
        own_scores = prediction.mask_scores if masks and prediction.mask_scores is not None else prediction.scores
        scores = own_scores.astype(np.float64).tolist()
        own_ids = category_ids[prediction.labels].tolist()
        for index, (box, score, category_id) in enumerate(zip(boxes, scores, own_ids)):
            record = {'image_id': prediction.image_id, 'category_id': category_id, 'bbox': box, 'score': score}
            if masks:
                assert prediction.masks is not None, 'read_prediction saw to it'
                mask = prediction.masks[index]
                counts = mask['counts']
                record['segmentation'] = {
                    'size': [int(side) for side in mask['size']],
                    'counts': counts.decode() if isinstance(counts, bytes) else counts,
                }
                # COCO takes the box's area for the mask's where a record has both.
                del record['bbox']
            records.append(record)
    return records


def write_results(path: str | Path, records: Sequence[dict]) -> None:
    """Write a JSON list of detections, whole or not at all.

    Raises:
        ValueError: If a number is not finite, which JSON cannot say.
    """
    with atomic_path(path) as temporary, temporary.open('w') as file:
        file.write('[')
        for index, record in enumerate(records):
            file.write((',\n' if index else '') + json.dumps(record, allow_nan=False))
        file.write(']\n')


def write_predictions(
    prefix: str | Path, kinds: Iterable[str], predictions: Sequence[ImagePrediction], category_ids: np.ndarray
) -> None:
    """Write `PREFIX.bbox.json`, `PREFIX.segm.json` or both.

    Args:
        prefix: Path without the endings.
        kinds: `'bbox'`, `'segm'` or both.
        predictions: Of the images.
        category_ids: Id of each label, `(C,)`.
    """
    for kind in kinds:
        path = Path(f'{prefix}.{kind}.json')
        write_results(path, result_records(predictions, category_ids, masks=kind == 'segm'))
        print_log(f'wrote the results to {path}.', 'current')


def submission_name(split: str, algorithm: str) -> str:
    """Name of a COCO submission without its ending, such as `detections_test-dev2017_dyhead_results`.

    Raises:
        ValueError: If a part is empty or has a character that the server splits names at.
    """
    for what, part in (('split', split), ('algorithm', algorithm)):
        if not re.fullmatch('[A-Za-z0-9.-]+', part):
            raise ValueError(f'{what} is {part!r}: use letters, digits, dots and hyphens only, the server splits names at "_".')
    return f'detections_{split}_{algorithm}_results'


def write_zip(folder: str | Path, name: str, records: Sequence[dict]) -> Path:
    """Write `FOLDER/NAME.zip` holding `NAME.json`; returns its path."""
    target = Path(folder) / f'{name}.zip'
    with atomic_path(target) as temporary:
        inner = temporary.with_suffix('.json')
        try:
            write_results(inner, records)
            with zipfile.ZipFile(temporary, 'w', zipfile.ZIP_DEFLATED) as archive:
                archive.write(inner, f'{name}.json')
        finally:
            inner.unlink(missing_ok=True)
    return target


def read_results(path: str | Path) -> list[Any]:
    """The list in a `.json` file, or in the one `.json` of a `.zip`.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is no JSON list, or a zip is damaged or holds another than the same-named file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'no results file {path}: check the path.')
    text: bytes | str = path.read_bytes()
    if path.suffix == '.zip':
        if not zipfile.is_zipfile(path):
            raise ValueError(f'{path} is no zip file: pack it again.')
        with zipfile.ZipFile(path) as archive:
            if archive.namelist() != [f'{path.stem}.json']:
                raise ValueError(f'{path} holds {archive.namelist()}, expected {path.stem}.json alone.')
            try:
                text = archive.read(f'{path.stem}.json')
            except (zipfile.BadZipFile, zlib.error) as error:
                raise ValueError(f'{path} is damaged ({error}): pack it again.') from None
    try:
        content = json.loads(text)
    # Of bytes that are no text, too.
    except ValueError as error:
        raise ValueError(f'{path} is no JSON: {error}.') from None
    if not isinstance(content, list):
        raise ValueError(f'{path} holds {type(content).__name__}, expected a list of detections.')
    return content


def read_boxes(path: str | Path) -> list[dict]:
    """As `read_results`, for those who compute with the boxes.

    Raises:
        ValueError: If an entry has not all of `image_id`, `category_id`, `bbox` of four numbers and `score`.
    """
    records = read_results(path)
    for index, record in enumerate(records):
        if not (isinstance(record, dict) and has_ids(record) and is_number(record.get('score')) and is_box(record.get('bbox'))):
            raise ValueError(
                f'{path}: entry {index} is no detection with image_id, category_id, bbox and score: {repr(record)[:80]}; '
                '`tools/leaderboards/detection_submission.py check` lists all that is wrong.'
            )
    return records


def merge_shards(paths: Sequence[str | Path]) -> tuple[list[dict], int]:
    """Join the results of several processes.

    A sampler that pads gives an image to two processes: equal results of it are taken once.

    Returns:
        The records, and how many images were in several shards.

    Raises:
        ValueError: If two shards have different results of an image, or an entry does not name its image.
    """
    merged: dict[Any, list[dict]] = {}
    source: dict[Any, str | Path] = {}
    repeated = 0
    for path in paths:
        own: dict[Any, list[dict]] = {}
        for index, record in enumerate(read_results(path)):
            if not isinstance(record, dict) or not is_id(record.get('image_id')):
                raise ValueError(f'{path}: entry {index} has no image_id: {repr(record)[:80]}.')
            own.setdefault(record['image_id'], []).append(record)
        for image_id, records in own.items():
            if image_id in merged and merged[image_id] != records:
                raise ValueError(
                    f'{source[image_id]} and {path} have different results of image {image_id!r}: are they of the same run?'
                )
            repeated += image_id in merged
            merged[image_id] = records
            source.setdefault(image_id, path)
    return [record for records in merged.values() for record in records], repeated


def keep_best(records: Sequence[dict], max_per_image: int) -> tuple[list[dict], int]:
    """The highest-scored detections of each image, and how many were left out."""
    by_image: dict[Any, list[dict]] = {}
    for record in records:
        by_image.setdefault(record['image_id'], []).append(record)
    kept = []
    for own in by_image.values():
        kept += own if len(own) <= max_per_image else sorted(own, key=lambda record: -record['score'])[:max_per_image]
    return kept, len(records) - len(kept)
