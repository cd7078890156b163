"""Judgements of NLVR2's sentences as its evaluation reads them: lines `identifier,True` or `identifier,False`, no header.

Source: https://github.com/lil-lab/nlvr, `nlvr2/eval/metrics.py`. Consistency is over the sentences: an identifier without the
number of its image pair.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from florence.atomic_files import atomic_path
from florence.evaluation.functional.consistency import consistent_share
from florence.evaluation.leaderboards.coverage import coverage_problems
from florence.tasks.json_files import read_json_file, require_fields

WORDS = ('False', 'True')
"""By label."""


def read_labels(path: str | Path) -> dict[str, int]:
    """Labels that `florence.LabelAccuracy` wrote to its `outfile`: sample id -> 0 or 1.

    Raises:
        FileNotFoundError: If there is no such file.
        KeyError: If an entry lacks a field.
        ValueError: If the file has another form, or judges a sample twice.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'no results file {path}: check the path.')
    content = read_json_file(path)
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise ValueError(f'{path} must hold a list of objects with sample_id and label.')
    labels = {}
    for index, entry in enumerate(content):
        require_fields(entry, ('sample_id', 'label'), f'{path}: entry {index}')
        if entry['label'] not in (0, 1) or entry['sample_id'] in labels:
            raise ValueError(f'{path}: entry {index} has a label other than 0 and 1, or an earlier sample id: {entry}.')
        labels[entry['sample_id']] = int(entry['label'])
    return labels


def read_nlvr2(path: str | Path) -> list[dict]:
    """Examples of an official file, one JSON object a line, each with `identifier`.

    Raises:
        FileNotFoundError: If there is no such file.
        KeyError: If an example has no identifier.
        ValueError: If a line is no JSON object, or an identifier has another form than `<split>-<set>-<pair>-<sentence>`.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'no annotation file {path}: check the path.')
    examples = []
    for number, line in enumerate(Path(path).read_text(encoding='utf-8').splitlines(), start=1):
        if line.strip():
            try:
                example = json.loads(line)
            except ValueError as error:
                raise ValueError(f'{path}, line {number} is no JSON: {error}.') from None
            if not isinstance(example, dict):
                raise ValueError(f'{path}, line {number} must hold an object, it holds {type(example).__name__}.')
            require_fields(example, ('identifier',), f'{path}, line {number}')
            if str(example['identifier']).count('-') != 3:
                raise ValueError(
                    f'{path}, line {number}: an identifier is <split>-<set>-<pair>-<sentence>, not {example["identifier"]!r}.'
                )
            examples.append(example)
    return examples


def write_predictions_csv(path: str | Path, labels: Mapping[str, int], identifiers: Sequence[str]) -> None:
    """Write one line per example, in their order, whole or not at all.

    Args:
        path: File to write.
        labels: Identifier -> 1 where the sentence is true.
        identifiers: Of the split.

    Raises:
        ValueError: If an example is missing or unknown.
    """
    problems = coverage_problems(list(labels), identifiers, 'examples')
    if problems:
        raise ValueError(' '.join(problems))
    with atomic_path(path) as temporary:
        temporary.write_text(''.join(f'{name},{WORDS[labels[name]]}\n' for name in identifiers))


def read_predictions_csv(path: str | Path) -> list[tuple[str, str]]:
    """Identifier and word of each line.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line has another form.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'no predictions file {path}: check the path.')
    with open(path, encoding='utf-8', newline='') as file:
        rows = [row for row in csv.reader(file) if row]
    for number, row in enumerate(rows, start=1):
        if len(row) != 2 or row[1].capitalize() not in WORDS:
            raise ValueError(f'{path}, line {number} must be identifier,True or identifier,False, it is {",".join(row)[:80]!r}.')
    return [(name, word.capitalize()) for name, word in rows]


def check_predictions(predictions: Sequence[tuple[str, str]], examples: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is wrong with the predictions, one sentence per kind of problem."""
    return coverage_problems([name for name, _ in predictions], [example['identifier'] for example in examples], 'examples')


def score_predictions(predictions: Sequence[tuple[str, str]], examples: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """`accuracy` and `consistency` in percent.

    Args:
        predictions: Of `read_predictions_csv`.
        examples: With `label`.

    Raises:
        KeyError: If an example has no label.
        ValueError: If an example is missing, unknown or judged twice.
    """
    problems = check_predictions(predictions, examples)
    if problems:
        raise ValueError(' '.join(problems))
    word_of = dict(predictions)
    judged = []
    for example in examples:
        require_fields(dict(example), ('label',), f'example {example["identifier"]}')
        split, group, _, sentence = example['identifier'].split('-')
        is_right = word_of[example['identifier']].lower() == str(example['label']).lower()
        judged.append(((split, group, sentence), is_right))
    return {
        'accuracy': 100 * sum(is_right for _, is_right in judged) / len(judged),
        'consistency': 100 * consistent_share(judged),
    }
