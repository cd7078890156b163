"""Submissions to the Kinetics challenge of trimmed videos: five classes with scores for each video.

Form: the challenge's page, activity-net.org/challenges/2017/trimmed.html (its error is the mean of the top-1 and the top-5
error). The challenge of 2021 asked for features instead; this is the form of 2017 to 2020.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from florence.atomic_files import write_json
from florence.evaluation.leaderboards.action_results import Scored, class_problem, frame_problems, summarised

VERSION = 'KINETICS VERSION 1.0'
PER_VIDEO = 5


def write_kinetics(
    path: str | Path,
    results: Mapping[str, Scored],
    ids: Sequence[str],
    *,
    external_data: str = '',
    classes: Sequence[str] | None = None,
) -> None:
    """Write the five best classes of each video of the test set, whole or not at all.

    Args:
        path: File to write.
        results: Of `read_action_results`.
        ids: Of the test set; other videos are refused.
        external_data: What other data the model has seen; empty = none.
        classes: Names that labels must be among; None = not checked.

    Raises:
        ValueError: If a video is missing, unknown or has fewer than five classes, or a score is no finite number.
    """
    best = {key: sorted(own, key=lambda one: -one['score'])[:PER_VIDEO] for key, own in results.items()}
    content = {
        'version': VERSION,
        'results': {key: [{'label': one['label'], 'score': one['score']} for one in own] for key, own in best.items()},
        'external_data': {'used': bool(external_data), 'details': external_data},
    }
    problems = check_kinetics(content, ids, classes)
    if problems:
        raise ValueError(' '.join(problems))
    write_json(path, content)


def check_kinetics(content: Mapping[str, Any], ids: Sequence[str], classes: Sequence[str] | None = None) -> list[str]:
    """What is wrong with a submission; nothing if the list is empty.

    Checked: the version, the statement on other data, every video of the test set once and no other, five different classes each,
    best first, with finite scores.

    Args:
        content: Of `read_submission`.
        ids: Of the test set.
        classes: Names that labels must be among; None = not checked.
    """
    problems = frame_problems(content, VERSION, ids)
    results = content.get('results')
    if not isinstance(results, dict):
        return problems
    found = {key: _problem(own, classes) for key, own in results.items() if isinstance(own, list)}
    return problems + summarised({key: problem for key, problem in found.items() if problem})


def _problem(own: Scored, classes: Sequence[str] | None) -> str | None:
    for one in own:
        problem = class_problem(one, classes)
        if problem:
            return problem
    labels = [one['label'] for one in own]
    if len(labels) != PER_VIDEO or len(set(labels)) != PER_VIDEO:
        return f'{len(set(labels))} different classes in {len(labels)} entries, expected {PER_VIDEO} of each'
    scores = [one['score'] for one in own]
    return None if scores == sorted(scores, reverse=True) else 'the best class does not come first'
