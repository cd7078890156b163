"""What the submissions of action recognition start from: classes that a model gave to videos, and the ids of a test set."""

import csv
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from florence.evaluation.leaderboards.coverage import coverage_problems
from florence.tasks.json_files import read_json_file, read_json_object, require_fields

CLIP_NAME = re.compile(r'(?P<id>.{11})_\d{6}_\d{6}')
"""Kinetics' files are named after the video and the seconds that were cut out of it."""

Scored = list[dict[str, Any]]
"""`label`, `score` and, of a part of a video, its `segment`, for one video."""


def video_id(name: str) -> str:
    """The id of a video from the name of its file: Kinetics' seconds and ActivityNet's `v_` do not belong to it."""
    stem = PurePath(name).name
    stem = stem[: -len(PurePath(stem).suffix)] if re.fullmatch(r'\.\w{2,4}', PurePath(stem).suffix) else stem
    found = CLIP_NAME.fullmatch(stem)
    if found:
        return found['id']
    return stem[2:] if stem.startswith('v_') and len(stem) == 13 else stem


def read_action_results(path: str | Path) -> dict[str, Scored]:
    """What `florence.ActionResults` or `tools/infer.py action` wrote: id of a video -> its classes, best first.

    Raises:
        FileNotFoundError: If there is no such file.
        KeyError: If an entry lacks a field.
        ValueError: If the file has another form, two entries are of one video, or a score is no finite number.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'no results file {path}: check the path.')
    content = read_json_file(path)
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise ValueError(f'{path} must hold a list of objects with sample_id (or path) and classes.')
    results: dict[str, Scored] = {}
    for index, entry in enumerate(content):
        where = f'{path}: entry {index}'
        name = entry['path'] if 'path' in entry else require_fields(entry, ('sample_id',), where)['sample_id']
        key = video_id(str(name))
        if key in results:
            raise ValueError(f'{where} is of the video {key!r} again: give each video once.')
        results[key] = require_fields(entry, ('classes',), where)['classes']
        if not isinstance(results[key], list):
            raise ValueError(f'{where}, {key}: classes must be a list of labels with scores, it is {results[key]!r:.80}.')
        for one in results[key]:
            if problem := class_problem(one, None):
                raise ValueError(f'{where}, {key}: {problem}.')
    return results


def read_official_ids(path: str | Path, subset: str | None = None) -> list[str]:
    """Ids of a test set from its official list.

    Args:
        path: A CSV with a column `youtube_id` (Kinetics), a JSON file with a `database` of videos (ActivityNet), or a text with
            an id per line.
        subset: Of a database: the subset to take, such as 'testing'; None = all.

    Raises:
        FileNotFoundError: If there is no such file.
        KeyError: If the CSV has no such column, or the JSON no database.
        ValueError: If no id is found, the database has another form, or a list of another kind is to have a subset.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'no list of test videos {path}: check the path.')
    is_database = str(path).endswith('.json')
    if subset is not None and not is_database:
        raise ValueError(
            f'{path} has no subset {subset!r}, only a JSON file with a database tells subsets: give a list of the subset.'
        )
    if is_database:
        database = read_json_object(path, 'database')['database']
        if not isinstance(database, dict) or not all(isinstance(entry, dict) for entry in database.values()):
            raise ValueError(
                f'{path}: database must be an object that tells the subset of each video, as ActivityNet publishes it.'
            )
        ids = [key for key, entry in database.items() if subset is None or entry.get('subset') == subset]
    elif str(path).endswith('.csv'):
        with open(path, encoding='utf-8-sig', newline='') as file:
            rows = csv.DictReader(file)
            if 'youtube_id' not in (rows.fieldnames or ()):
                raise KeyError(f'{path} has no column youtube_id, found {", ".join(rows.fieldnames or ())}.')
            ids = [row['youtube_id'] for row in rows]
    else:
        ids = [line.strip() for line in Path(path).read_text(encoding='utf-8-sig').splitlines() if line.strip()]
    if not ids:
        raise ValueError(f'{path} has no video' + (f' of the subset {subset!r}.' if subset else '.'))
    return ids


def read_submission(path: str | Path) -> dict[str, Any]:
    """A submission with its `results`; a video that occurs twice is refused, which JSON itself allows.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no JSON object, or a name occurs twice in an object of it.
    """

    def once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        if twice:
            raise ValueError(f'{path} has {twice[0]!r} twice.')
        return dict(pairs)

    if not Path(path).is_file():
        raise FileNotFoundError(f'no submission {path}: check the path.')
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'), object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise ValueError(f'{path} is not valid JSON: {error}') from error
    if not isinstance(content, dict):
        raise ValueError(f'{path} must hold one object, it holds {type(content).__name__}.')
    return content


def frame_problems(content: Mapping[str, Any], version: str, ids: Sequence[str]) -> list[str]:
    """What is wrong with all but the classes: version, statement on other data, videos.

    Args:
        content: The submission.
        version: What its `version` must be.
        ids: Of the test set.
    """
    problems = []
    if content.get('version') != version:
        problems.append(f'version is {content.get("version")!r}, expected {version!r}.')
    external = content.get('external_data')
    said = (external.get('used'), external.get('details')) if isinstance(external, dict) else (None, None)
    if not isinstance(said[0], bool) or not isinstance(said[1], str):
        problems.append(f'external_data must say used, true or false, and details, a text, it is {external!r}.')
    results = content.get('results')
    if not isinstance(results, dict) or not all(isinstance(own, list) for own in results.values()):
        return [*problems, f'results must be an object with a list for each video, it is {type(results).__name__}.']
    return problems + coverage_problems(list(results), ids, 'videos')


def class_problem(scored: Mapping[str, Any], classes: Sequence[str] | None) -> str | None:
    """What is wrong with one class of a video."""
    if not isinstance(scored, dict):
        return f'{scored!r} is no object with label and score'
    label, score = scored.get('label'), scored.get('score')
    if not isinstance(label, str) or (classes is not None and label not in classes):
        return f'the label {label!r} is no class of the set'
    if not isinstance(score, int | float) or isinstance(score, bool) or not math.isfinite(score):
        return f'the score of {label!r} is {score!r}, expected a finite number'
    return None


def summarised(problems: Mapping[str, str]) -> list[str]:
    """The first problems by video, and how many there are.

    Args:
        problems: Video -> what is wrong with it.
    """
    shown = [f'{key}: {problem}.' for key, problem in list(problems.items())[:5]]
    return shown + ([f'and {len(problems) - len(shown)} more videos.'] if len(problems) > len(shown) else [])
