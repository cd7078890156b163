"""Submissions to ActivityNet: classes of untrimmed videos, and when each happens.

Form: the challenge's evaluation code, github.com/activitynet/ActivityNet. Of classification it reads labels and scores, of
localization also `segment`, begin and end in seconds.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from florence.atomic_files import write_json
from florence.evaluation.leaderboards.action_results import Scored, class_problem, frame_problems, summarised

VERSION = 'VERSION 1.3'
TASKS = ('classification', 'localization')


def write_activitynet(
    path: str | Path,
    results: Mapping[str, Scored],
    ids: Sequence[str],
    *,
    task: str = 'classification',
    external_data: str = '',
    classes: Sequence[str] | None = None,
) -> None:
    """Write the classes of each video of the test set, best first, whole or not at all.

    Args:
        path: File to write.
        results: Of `read_action_results`.
        ids: Of the test set; other videos are refused.
        task: One of `TASKS`.
        external_data: What other data the model has seen; empty = none.
        classes: Names that labels must be among; None = not checked.

    Raises:
        ValueError: If the task is unknown, a video is missing or unknown, or a class is not in order.
    """
    fields = ('label', 'score') if task == 'classification' else ('label', 'score', 'segment')
    content = {
        'version': VERSION,
        'results': {
            key: [{field: one.get(field) for field in fields} for one in sorted(own, key=lambda one: -one['score'])]
            for key, own in results.items()
        },
        'external_data': {'used': bool(external_data), 'details': external_data},
    }
    problems = check_activitynet(content, ids, task=task, classes=classes)
    if problems:
        raise ValueError(' '.join(problems))
    write_json(path, content)


def check_activitynet(
    content: Mapping[str, Any], ids: Sequence[str], *, task: str = 'classification', classes: Sequence[str] | None = None
) -> list[str]:
    """What is wrong with a submission; nothing if the list is empty.

    Checked: the version, the statement on other data, every video of the test set once and no other, finite scores, a class of a
    video given once (classification), begin before end (localization).

    Args:
        content: Of `read_submission`.
        ids: Of the test set.
        task: One of `TASKS`.
        classes: Names that labels must be among; None = not checked.

    Raises:
        ValueError: If the task is unknown.
    """
    if task not in TASKS:
        raise ValueError(f'task must be one of {TASKS}, got {task!r}.')
    problems = frame_problems(content, VERSION, ids)
    results = content.get('results')
    if not isinstance(results, dict):
        return problems
    found = {key: _problem(own, task, classes) for key, own in results.items() if isinstance(own, list)}
    return problems + summarised({key: problem for key, problem in found.items() if problem})


def _problem(own: Scored, task: str, classes: Sequence[str] | None) -> str | None:
    for one in own:
        problem = class_problem(one, classes) or (_segment_problem(one) if task == 'localization' else None)
        if problem:
            return problem
    labels = [one['label'] for one in own]
    if task == 'classification' and (not labels or len(set(labels)) < len(labels)):
        return 'it has no class' if not labels else 'it has a class twice'
    return None


def _segment_problem(one: Mapping[str, Any]) -> str | None:
    segment = one.get('segment')
    are_numbers = (
        isinstance(segment, list | tuple)
        and len(segment) == 2
        and all(isinstance(time, int | float) and not isinstance(time, bool) and math.isfinite(time) for time in segment)
    )
    if are_numbers and 0 <= segment[0] < segment[1]:
        return None
    return f'the segment of {one["label"]!r} is {segment!r}, expected begin and end in seconds'
