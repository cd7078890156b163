"""Accuracy of VQA by the official rule: what an answer is worth is how many other annotators gave it.

Source: https://github.com/GT-Vision-Lab/VQA, `vqaEval.py` of 2021-03; the rule is in arXiv 1505.00468, section 3. Answers are
normalised only where the annotators' answers are not all alike: to ten times "two" the answer "2" is wrong. Differs from the
official code: figures are not rounded; a question with one annotator, to whom the rule gives 0 whatever is answered, counts as
right where the normal forms of both answers are equal.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from florence.tasks.vqa_answers import answer_key, clean_answer, leave_one_out_score, normalize_answer


def question_accuracy(prediction: str, answers: Sequence[str]) -> float:
    """What one predicted answer is worth, in `[0, 1]`.

    Args:
        prediction: The predicted answer.
        answers: One per annotator, as they were typed.

    Raises:
        ValueError: If there is no annotator.
    """
    if not answers:
        raise ValueError('a question without annotators has no accuracy: evaluate on a set with annotations.')
    if len(answers) == 1:
        return float(answer_key(prediction) == answer_key(answers[0]))
    prediction, answers = clean_answer(prediction), [clean_answer(answer) for answer in answers]
    if len(set(answers)) > 1:
        prediction, answers = normalize_answer(prediction), [normalize_answer(answer) for answer in answers]
    return leave_one_out_score(answers.count(prediction), len(answers))


@dataclass(frozen=True)
class JudgedQuestion:
    """What the answer to one question is worth, in `[0, 1]`, and the groups of the question, None = in no group."""

    accuracy: float
    answer_type: str | None = None
    question_type: str | None = None


def vqa_figures(questions: Sequence[JudgedQuestion]) -> dict[str, float]:
    """`overall`, `answer_type/<type>` and `question_type/<type>`: mean accuracies in percent, types in alphabetical order.

    Args:
        questions: All questions of the set, at least one.
    """
    assert questions
    groups: dict[str, list[float]] = defaultdict(list)
    for question in questions:
        groups['overall'].append(question.accuracy)
        for kind, name in (('answer_type', question.answer_type), ('question_type', question.question_type)):
            if name is not None:
                groups[f'{kind}/{name}'].append(question.accuracy)
    names = ['overall', *sorted(groups.keys() - {'overall'})]
    return {name: 100 * sum(groups[name]) / len(groups[name]) for name in names}
