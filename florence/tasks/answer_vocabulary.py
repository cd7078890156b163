"""The answers that a VQA classifier chooses among (METER, arXiv 2111.02387: 3,129 answers given at least 9 times).

The order of the answers is that of the classifier's outputs, and no two published vocabularies agree on it: a checkpoint has to
carry its own (`state`, `fingerprint`). Differs from METER: "A", which its normalisation empties, is kept as "a".
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from florence.atomic_files import write_json
from florence.tasks.text_hash import text_label
from florence.tasks.vqa_answers import answer_key


class AnswerVocabulary:
    """A fixed list of answers with their indices.

    Args:
        answers: Distinct answers, in the order of the classifier's outputs.

    Raises:
        ValueError: If there is none, one occurs twice, or one is no text.
    """

    def __init__(self, answers: Sequence[str]) -> None:
        self.answers = tuple(answers)
        if not self.answers:
            raise ValueError('an answer vocabulary needs at least one answer, got none.')
        odd = next((answer for answer in self.answers if not isinstance(answer, str)), None)
        if odd is not None:
            raise ValueError(f'an answer vocabulary holds texts, got {odd!r} of type {type(odd).__name__}.')
        self._index = {answer: index for index, answer in enumerate(self.answers)}
        if len(self._index) < len(self.answers):
            twice = [answer for answer, count in Counter(self.answers).items() if count > 1]
            raise ValueError(f'{len(twice)} answers occur more than once in the vocabulary, e.g. {twice[0]!r}: keep one of each.')
        self._index_of_key = {answer_key(answer): index for index, answer in reversed(list(enumerate(self.answers)))}

    def __len__(self) -> int:
        return len(self.answers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AnswerVocabulary) and self.answers == other.answers

    def __hash__(self) -> int:
        return hash(self.answers)

    def __contains__(self, answer: str) -> bool:
        return self.index(answer) is not None

    def index(self, answer: str) -> int | None:
        """Index of an answer as it stands, else of its normal form, else of the first answer of that normal form; else None."""
        index = self._index.get(answer)
        if index is not None:
            return index
        key = answer_key(answer)
        return self._index.get(key, self._index_of_key.get(key))

    @classmethod
    def build(cls, answers: Iterable[str], min_count: int = 9) -> 'AnswerVocabulary':
        """The answers that occur often enough, in the order of their first occurrence.

        Args:
            answers: One per question (VQAv2: `multiple_choice_answer` of train and val, in the files' order), as typed.
            min_count: Occurrences that an answer needs.

        Raises:
            ValueError: If no answer occurs that often.
        """
        counts = Counter(map(answer_key, answers))
        del counts['']
        kept = [answer for answer, count in counts.items() if count >= min_count]
        if not kept:
            raise ValueError(
                f'none of the {len(counts)} answers occurs {min_count} times: lower min_count, or check that annotations hold '
                'the answers.'
            )
        return cls(kept)

    @classmethod
    def from_file(cls, path: str | Path) -> 'AnswerVocabulary':
        """Read a vocabulary.

        Args:
            path: `.json`: a list of answers (LXMERT's `label2ans`), or an object answer -> index or index -> answer; any other
                ending: one answer a line.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it has another form, or the indices are not 0 to n - 1.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(
                f'no answer vocabulary at {path}: build one with tools/dataset_converters/build_answer_vocabulary.py.'
            )
        try:
            text = path.read_text(encoding='utf-8-sig')
            return cls(_from_json(text) if path.suffix == '.json' else _from_lines(text))
        except ValueError as error:
            raise ValueError(f'{path} holds no answer vocabulary: {error}') from error

    def save(self, path: str | Path) -> None:
        """Write a JSON list, whole or not at all."""
        write_json(path, list(self.answers))

    def targets(self, scores: Sequence[Mapping[str, float]]) -> list[dict[int, float]]:
        """Scores by index, one dict per question.

        Args:
            scores: Answer -> score in `[0, 1]`, such as `soft_scores` gives. Two answers of one normal form count by the higher
                score. An answer outside the vocabulary has no output to train and is left out; a question all of whose answers
                are outside yields an empty dict (data sets leave it out of training and say how many).

        Returns:
            Index -> score, per question.
        """
        found: list[dict[int, float]] = []
        for question in scores:
            target: dict[int, float] = {}
            for answer, score in question.items():
                index = self.index(answer)
                if index is not None:
                    target[index] = max(score, target.get(index, 0.0))
            found.append(target)
        return found

    @property
    def fingerprint(self) -> int:
        """63-bit number that is equal for equal vocabularies, on every machine."""
        return text_label(json.dumps(self.answers))

    def state(self) -> dict[str, Any]:
        """Plain content for a checkpoint."""
        return {'answers': list(self.answers), 'fingerprint': self.fingerprint}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> 'AnswerVocabulary':
        """The vocabulary of a checkpoint.

        Raises:
            ValueError: If the answers are not those that were stored.
        """
        vocabulary = cls(state['answers'])
        if vocabulary.fingerprint != state['fingerprint']:
            raise ValueError('the answer vocabulary of the checkpoint is damaged: its answers do not match their fingerprint.')
        return vocabulary

    def require_same(self, other: 'AnswerVocabulary', whose: str) -> None:
        """Refuse another vocabulary, whose indices would mean other answers.

        Args:
            other: The vocabulary to compare with.
            whose: Its owner, for the message, such as `'the checkpoint'`.

        Raises:
            ValueError: If the two differ.
        """
        if self == other:
            return
        place = next((i for i, (a, b) in enumerate(zip(self.answers, other.answers)) if a != b), min(len(self), len(other)))
        ours, theirs = (repr(v.answers[place]) if place < len(v) else 'nothing' for v in (self, other))
        raise ValueError(
            f'the answer vocabularies differ: {len(self)} answers here, {len(other)} in {whose}; answer {place} is {ours} here, '
            f'{theirs} there. Use the vocabulary that the weights were trained with.'
        )


def _from_lines(text: str) -> list[str]:
    answers = text.splitlines()
    blank = next((number for number, answer in enumerate(answers, start=1) if not answer.strip()), None)
    if blank is not None:
        raise ValueError(f'line {blank} is empty: put one answer on each line')
    return answers


def _from_json(text: str) -> list[str]:
    content = json.loads(text)
    if isinstance(content, list):
        return content
    if not isinstance(content, dict) or not content:
        raise ValueError(f'expected a list of answers or an object of answers and indices, found {type(content).__name__}')
    if all(isinstance(index, int) for index in content.values()):
        by_index = {index: answer for answer, index in content.items()}
    elif all(key.isdecimal() for key in content):
        by_index = {int(key): answer for key, answer in content.items()}
    else:
        raise ValueError('expected an object answer -> index or index -> answer, found another one')
    if sorted(by_index) != list(range(len(content))):
        raise ValueError(f'the indices of {len(content)} answers must be 0 to {len(content) - 1}, each once')
    return [by_index[index] for index in range(len(content))]
