"""Submission file of the ODinW challenge (EvalAI 1839): all sets in one JSON object.

    {set: [detection, ...]}                     zero-shot and full-shot
    {set: {"3": [...], "30": [...], "300": [...]}}  few-shot, by seed

A detection is COCO's: `image_id`, `category_id` of the set's annotation file, `bbox` xywh in pixels of the original image,
`score`.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from florence.atomic_files import atomic_path
from florence.evaluation.functional.coco_annotations import load_annotation_file, to_arrays
from florence.evaluation.leaderboards.coco_submission_check import check_detections
from florence.tasks.odinw import FEW_SHOT_SEEDS, sets_of

NO_LIMIT = 10**9
"""The challenge names no limit of detections per image."""


def write_odinw_submission(path: str | os.PathLike, results: Mapping[str, Any]) -> None:
    """Write a submission, whole or not at all.

    Args:
        path: File to write.
        results: Set -> detections, or set -> seed -> detections.

    Raises:
        ValueError: If a number is not finite.
    """
    with atomic_path(path) as temporary, temporary.open('w') as file:
        json.dump(results, file, allow_nan=False)


def check_odinw_submission(
    path: str | os.PathLike, group: str, ann_files: Mapping[str, str | os.PathLike], *, few_shot: bool = False
) -> list[str]:
    """What is wrong with a submission, one sentence per kind of problem and set; nothing if the list is empty.

    Args:
        path: File to check.
        group: 'odinw13', 'odinw35' or 'florence11': the sets that must be there.
        ann_files: Annotation file by set; a set that is not in it is checked for its form only, and said so.
        few_shot: Whether results are by seed.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'no submission {path}: check the path.')
    try:
        content = json.loads(Path(path).read_bytes())
    # Of bytes that are no text, too.
    except ValueError as error:
        return [f'{path} is cut short or no JSON: {error}.']
    if not isinstance(content, dict):
        return [f'{path} holds a {type(content).__name__}, expected an object of sets.']
    names = [each.name for each in sets_of(group)]
    sentences = [f'{name}: no results; the group {group} needs them.' for name in names if name not in content]
    sentences += [f'{name}: not a set of the group {group}.' for name in content if name not in names]
    for name in (name for name in names if name in content):
        for where, records in _lists(name, content[name], few_shot, sentences):
            if not isinstance(records, list):
                sentences.append(f'{where}: expected a list of detections, found a {type(records).__name__}.')
            elif name not in ann_files:
                sentences.append(f'{where}: image and category ids are unchecked, the annotation file was not found.')
            else:
                sentences += [f'{where}: {sentence}' for sentence in _check_list(records, ann_files[name])]
    return sentences


def _lists(name: str, results: Any, few_shot: bool, sentences: list[str]) -> list[tuple[str, Any]]:
    """The lists of a set, each with what it is called; adds a sentence where the form is the other one."""
    if not few_shot:
        return [(name, results)]
    seeds = [str(seed) for seed in FEW_SHOT_SEEDS]
    if not isinstance(results, dict) or sorted(results) != sorted(seeds):
        found = ', '.join(results) if isinstance(results, dict) else f'a {type(results).__name__}'
        sentences.append(f'{name}: few-shot results need the seeds {", ".join(seeds)}, found {found}.')
        return []
    return [(f'{name} seed {seed}', results[seed]) for seed in seeds]


def _check_list(records: Sequence[Any], ann_file: str | os.PathLike) -> list[str]:
    return check_detections(records, to_arrays(load_annotation_file(Path(ann_file))), NO_LIMIT)
