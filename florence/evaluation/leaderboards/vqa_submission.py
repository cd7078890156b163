"""Answers to questions as servers want them: a JSON list of the identity of a question and `answer` (text), all of the split.

| set | identity | source |
|---|---|---|
| VQAv2 | `question_id`, number | https://visualqa.org/evaluation.html, EvalAI's challenge 830 |
| TextVQA | `question_id`, number | https://textvqa.org/challenge, EvalAI |
| VizWiz | `image`, file name | https://vizwiz.org/tasks-and-datasets/vqa, EvalAI |
| DocVQA | `questionId`, number | https://rrc.cvc.uab.es, "Document Visual Question Answering" |

Test-dev and test-std of VQAv2 differ by the questions that have to be there: those of the question file of the split.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from florence.atomic_files import write_json
from florence.evaluation.functional.vqa_accuracy import JudgedQuestion, question_accuracy, vqa_figures
from florence.evaluation.leaderboards.coverage import coverage_problems
from florence.tasks.json_files import read_json_file, require_fields
from florence.tasks.vqa_files import typed_answers

KEYS = {'vqa_v2': 'question_id', 'textvqa': 'question_id', 'vizwiz': 'image', 'docvqa': 'questionId'}
"""What the files of each set call the identity of a question."""


def read_question_ids(path: str | Path, dataset: str) -> list[int | str]:
    """Identities of all questions of a split of TextVQA, VizWiz or DocVQA, in the order of its file.

    Raises:
        FileNotFoundError: If there is no such file.
        KeyError: If a field is missing.
        ValueError: If it has another form.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'no file of questions {path}: check the path.')
    content = read_json_file(path)
    entries = content if dataset == 'vizwiz' else require_fields(content, ['data'], str(path))['data']
    if not isinstance(entries, list):
        raise ValueError(f'{path} must hold a list of questions, it holds {type(entries).__name__}.')
    return [require_fields(entry, [KEYS[dataset]], f'{path}: a question')[KEYS[dataset]] for entry in entries]


def read_answers(path: str | Path, dataset: str = 'vqa_v2') -> list[dict]:
    """The entries, `question_id` and `answer`, of a results file: of `VQAAccuracy`, of `TaskAnswers`, or a written submission.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no JSON list of objects with the identity of a question (int, of VizWiz a text) and `answer` (text).
    """
    kind, kind_name = (str, 'a text') if dataset == 'vizwiz' else (int, 'a whole number')
    if not Path(path).is_file():
        raise FileNotFoundError(f'no results file {path}: check the path.')
    content = read_json_file(path)
    if not isinstance(content, list):
        raise ValueError(f'{path} holds {type(content).__name__}, expected a list of answers.')
    for index, entry in enumerate(content):
        identity = _identity(entry, dataset)
        if not isinstance(identity, kind) or isinstance(identity, bool) or not isinstance(entry.get('answer'), str):
            raise ValueError(
                f'{path}: entry {index} must have {KEYS[dataset]}, {kind_name}, and answer, a text, it is {repr(entry)[:80]}.'
            )
    return [{'question_id': _identity(entry, dataset), 'answer': entry['answer']} for entry in content]


def _identity(entry: Any, dataset: str) -> Any:
    return entry.get('question_id', entry.get(KEYS[dataset])) if isinstance(entry, dict) else None


def merge_answers(paths: Sequence[str | Path], dataset: str = 'vqa_v2') -> tuple[list[dict], int]:
    """Join the answers of several processes; an equal answer of two files is taken once.

    Returns:
        The entries, and how many were in several files.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If two files answer a question differently, or one of them twice.
    """
    merged: dict[int | str, str] = {}
    repeated = 0
    for path in paths:
        entries = read_answers(path, dataset)
        own = {entry['question_id']: entry['answer'] for entry in entries}
        if len(own) < len(entries):
            raise ValueError(f'{path} answers {len(entries) - len(own)} questions more than once: keep one answer each.')
        for number, answer in own.items():
            if merged.setdefault(number, answer) != answer:
                raise ValueError(
                    f'{path} answers question {number} by {answer!r}, an earlier file by {merged[number]!r}: are they of one run?'
                )
        repeated += len(own)
    return [{'question_id': number, 'answer': answer} for number, answer in merged.items()], repeated - len(merged)


def check_answers(answers: Sequence[Mapping[str, Any]], question_ids: Sequence[int | str]) -> list[str]:
    """What is wrong with the answers, one sentence per kind of problem.

    Args:
        answers: Of `read_answers`.
        question_ids: Of the split.
    """
    return coverage_problems([entry['question_id'] for entry in answers], question_ids, 'questions')


def submission_answers(
    answers: Sequence[Mapping[str, Any]],
    question_ids: Sequence[int | str],
    *,
    fill_missing: bool = False,
    take_part: bool = False,
) -> list[dict]:
    """One entry per question of the split, in its order.

    Args:
        answers: Of `read_answers` or `merge_answers`.
        question_ids: Of the split.
        fill_missing: Answer '' where there is no answer.
        take_part: Leave out answers to other questions: those to test-std when test-dev, a part of it, is submitted.

    Raises:
        ValueError: If the answers do not fit the split.
    """
    answer_of = {entry['question_id']: entry['answer'] for entry in answers}
    wanted = set(question_ids)
    entries = [entry for entry in answers if not take_part or entry['question_id'] in wanted]
    if fill_missing:
        entries += [{'question_id': number} for number in question_ids if number not in answer_of]
    problems = check_answers(entries, question_ids)
    if problems:
        raise ValueError(' '.join(problems))
    return [{'question_id': number, 'answer': answer_of.get(number, '')} for number in question_ids]


def write_submission(folder: str | Path, subset: str, algorithm: str, answers: Sequence[Mapping[str, Any]]) -> Path:
    """Write `FOLDER/vqa_OpenEnded_mscoco_<subset>_<algorithm>_results.json`, the official name; returns its path.

    Raises:
        ValueError: If the algorithm's name has other characters than letters, digits, dots and hyphens.
    """
    path = Path(folder) / f'vqa_OpenEnded_mscoco_{subset}_{_checked(algorithm)}_results.json'
    write_json(path, list(answers))
    return path


def write_answers(folder: str | Path, dataset: str, algorithm: str, answers: Sequence[Mapping[str, Any]]) -> Path:
    """Write `FOLDER/<dataset>_<algorithm>_results.json` with the fields that the set's server wants; returns its path.

    Raises:
        ValueError: As `write_submission`.
    """
    path = Path(folder) / f'{dataset}_{_checked(algorithm)}_results.json'
    write_json(path, [{KEYS[dataset]: entry['question_id'], 'answer': entry['answer']} for entry in answers])
    return path


def _checked(algorithm: str) -> str:
    if not re.fullmatch('[A-Za-z0-9.-]+', algorithm):
        raise ValueError(f'algorithm is {algorithm!r}: use letters, digits, dots and hyphens only, the name is split at "_".')
    return algorithm


def score_answers(answers: Sequence[Mapping[str, Any]], annotations: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The official figures, percent: see `functional.vqa_accuracy.vqa_figures`.

    Args:
        answers: One per annotated question.
        annotations: Entries of the annotation file.

    Raises:
        ValueError: If a question is missing, unknown or answered twice.
    """
    problems = check_answers(answers, [entry['question_id'] for entry in annotations])
    if problems:
        raise ValueError(' '.join(problems))
    answer_of = {entry['question_id']: entry['answer'] for entry in answers}
    return vqa_figures(
        [
            JudgedQuestion(
                question_accuracy(answer_of[entry['question_id']], typed_answers(dict(entry))),
                entry.get('answer_type'),
                entry.get('question_type'),
            )
            for entry in annotations
        ]
    )
