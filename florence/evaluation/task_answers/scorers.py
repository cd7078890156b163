"""Scorers by the name that a task gives."""

from collections.abc import Callable, Sequence

from florence.evaluation.task_answers.answer import TaskAnswer
from florence.evaluation.task_answers.detection import score_detections, score_proposals
from florence.evaluation.task_answers.places import score_grounding, score_masks
from florence.evaluation.task_answers.reading import score_reading
from florence.evaluation.task_answers.texts import score_captions, score_questions, score_texts

Scorer = Callable[[Sequence[TaskAnswer]], dict[str, float]]
"""All answers of an evaluation, one at least, to figures."""

_SCORERS: dict[str, Scorer] = {
    'caption': score_captions,
    'text': score_texts,
    'detection': score_detections,
    'proposals': score_proposals,
    'grounding': score_grounding,
    'masks': score_masks,
    'ocr': score_reading,
    'vqa': score_questions,
}


def register_scorer(name: str, scorer: Scorer) -> None:
    """Make a scorer known under a name that tasks give as their metric.

    Raises:
        ValueError: If there is another one of that name.
    """
    if _SCORERS.setdefault(name, scorer) is not scorer:
        raise ValueError(f'there is a scorer {name!r} already: take another name; taken: {", ".join(_SCORERS)}')


def get_scorer(name: str) -> Scorer:
    """The scorer of a name.

    Raises:
        KeyError: If there is none.
    """
    if name not in _SCORERS:
        raise KeyError(f'no scorer {name!r}; known: {", ".join(_SCORERS)}; register_scorer makes yours known')
    return _SCORERS[name]
