"""What a model answers and where it errs: the part of a visual report for questions and for sentences about images."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from florence.apis.word_attention import draw_word_attention
from florence.evaluation.functional.vqa_accuracy import question_accuracy
from florence.models.vision_language import METERModel
from florence.structures import ImageTextSample
from florence.visualization import ClassifiedImage, draw_classification_sheet
from florence.visualization.report_page import ReportTable

SHOWN_ANSWERS = 3
NUM_CONFUSED = 12
OTHERS = '(others)'


@dataclass(frozen=True)
class AnsweredQuestion:
    """A question, or a sentence, of the test set with what the model made of it.

    Attributes:
        index: Place in the test set.
        sample_id, text: Name of the sample, and the question.
        truth: The answer that most annotators gave, or the class.
        answers: The model's best answers with their probabilities, best first.
        accuracy: What the best one is worth, in [0, 1].
    """

    index: int
    sample_id: Any
    text: str
    truth: str
    answers: dict[str, float]
    accuracy: float

    @property
    def answer(self) -> str:
        """The answer given."""
        return next(iter(self.answers))

    def as_json(self) -> dict[str, Any]:
        """For `report.json`."""
        return {
            'sample_id': self.sample_id,
            'text': self.text,
            'truth': self.truth,
            'answers': self.answers,
            'accuracy': self.accuracy,
        }


def answered_question(index: int, sample: ImageTextSample, classes: Sequence[str] | None = None) -> AnsweredQuestion:
    """Read a prediction.

    Args:
        index: Place in the test set.
        sample: With `answers` and the prediction of a VQA head, or with `gt_label` and that of a head with `classes`.
        classes: Names of the classes; None = the sample is a question.

    Raises:
        ValueError: If the sample has no ground truth.
    """
    if not sample.get('answers') if classes is None else sample.get('gt_label') is None:
        raise ValueError(f'sample {sample.get("sample_id")!r} has no ground truth: report on a test set with annotations.')
    if classes is None:
        truth: str = Counter(sample.answers).most_common(1)[0][0]
        answers = dict(zip(sample.pred_answers, sample.pred_answer_scores, strict=True))
        accuracy = question_accuracy(sample.pred_answer, sample.answers)
    else:
        truth = classes[sample.gt_label]
        best = sample.pred_scores.argsort(descending=True).tolist()
        answers = {classes[label]: float(sample.pred_scores[label]) for label in best}
        accuracy = float(next(iter(answers)) == truth)
    return AnsweredQuestion(index, sample.get('sample_id'), sample.text, truth, answers, accuracy)


def confusion(questions: Sequence[AnsweredQuestion], limit: int = NUM_CONFUSED) -> ReportTable:
    """How often each answer was given to questions of each truth, for the most frequent true answers.

    Args:
        questions: All of them.
        limit: True answers shown; the last row and column count all others.
    """
    frequent = [answer for answer, _ in Counter(question.truth for question in questions).most_common(limit)]
    counts = Counter(
        tuple(name if name in frequent else OTHERS for name in (question.truth, question.answer)) for question in questions
    )
    names = [*frequent, OTHERS]
    rows = [[truth, *(counts[truth, answer] for answer in names)] for truth in names]
    return ReportTable('Truth (rows) and answers given (columns)', ['truth', *names], rows)


def report_on_questions(
    questions: Sequence[AnsweredQuestion],
    pixels: Callable[[int], np.ndarray],
    out_dir: str | os.PathLike,
    *,
    num_examples: int,
    num_attention: int = 0,
    model: METERModel | None = None,
) -> tuple[dict[str, Any], list[ReportTable], dict[str, list[str]]]:
    """Draw examples and count.

    Wrong examples are the surest of those that are worth nothing; right ones, worth everything, lie evenly over the test set.

    Args:
        questions: All of the test set.
        pixels: Index -> image, `(H, W, 3)` uint8 RGB.
        out_dir: Folder of the report.
        num_examples: Right ones, and wrong ones, that are drawn.
        num_attention: Examples whose attention is drawn, right and wrong ones in turn; needs `model`.
        model: The model, in evaluation mode.

    Returns:
        What `report.json` holds, tables, and pictures by heading, relative to `out_dir`.
    """
    wrong = sorted((question for question in questions if question.accuracy == 0), key=lambda each: -each.answers[each.answer])
    right = [question for question in questions if question.accuracy == 1]
    spread = np.linspace(0, len(right) - 1, min(num_examples, len(right))).round().astype(int)
    examples = {'right': [right[place] for place in spread], 'wrong': wrong[:num_examples]}
    counts = {'right': len(right), 'wrong': len(wrong), 'partly right': len(questions) - len(right) - len(wrong)}
    table = confusion(questions)
    pictures: dict[str, list[str]] = {}
    for kind, chosen in examples.items():
        if chosen:
            pictures[f'{kind} answers'.capitalize()] = [_draw_sheet(chosen, pixels, kind, out_dir)]
    turns = [question for pair in zip_longest(*examples.values()) for question in pair if question]
    for rank, question in enumerate(turns[:num_attention], 1):
        assert model is not None
        file = f'pictures/attention_{rank:02d}.png'
        draw_word_attention(model, pixels(question.index), question.text, Path(out_dir, file))
        pictures.setdefault('What the words look at', []).append(file)
    report = {
        'counts': counts,
        'confusion': {'columns': list(table.columns), 'rows': [list(row) for row in table.rows]},
        'examples': {kind: [question.as_json() for question in chosen] for kind, chosen in examples.items()},
        'pictures': pictures,
    }
    return report, [ReportTable('Answers', ['answers', 'number'], [[*item] for item in counts.items()]), table], pictures


def _draw_sheet(
    questions: Sequence[AnsweredQuestion], pixels: Callable[[int], np.ndarray], kind: str, out_dir: str | os.PathLike
) -> str:
    """Draw questions with images and answers; returns the file."""
    shown = []
    for question in questions:
        best = list(question.answers)[:SHOWN_ANSWERS]
        truth = question.answer if question.accuracy == 1 else question.truth
        probabilities = [question.answers[answer] for answer in best]
        shown.append(ClassifiedImage(pixels(question.index), best, probabilities, truth, question.text))
    file = f'pictures/{kind}.png'
    draw_classification_sheet(shown, Path(out_dir, file))
    return file
