"""Figures of answers that are texts: captions, short texts, answers to questions."""

from collections.abc import Sequence

from florence.evaluation.functional.anls import answer_similarity
from florence.evaluation.functional.caption_scores import caption_scores
from florence.evaluation.functional.vqa_accuracy import question_accuracy
from florence.evaluation.task_answers.answer import TaskAnswer

CAPTION_METRICS = ('bleu', 'rouge_l', 'cider')


def score_captions(answers: Sequence[TaskAnswer]) -> dict[str, float]:
    """CIDEr, BLEU and ROUGE-L of the official evaluation times 100, and `exact`, the share of right texts, percent."""
    texts = [answer.parsed['text'] for answer in answers]
    figures = caption_scores(texts, [list(answer.references) for answer in answers], metrics=CAPTION_METRICS).corpus
    return {name: 100 * value for name, value in figures.items()} | {'exact': _exact(answers)}


def score_texts(answers: Sequence[TaskAnswer]) -> dict[str, float]:
    """`exact`: percent of answers that equal a reference but for case and white space."""
    return {'exact': _exact(answers)}


def score_questions(answers: Sequence[TaskAnswer]) -> dict[str, float]:
    """`accuracy` of VQA, for which the references of a question are the answers of its annotators, and `ANLS`, the figure of
    questions about documents, for which they are all right answers; percent."""
    rules = {'accuracy': question_accuracy, 'ANLS': answer_similarity}
    return {
        name: 100 * sum(rule(answer.parsed['text'], answer.references) for answer in answers) / len(answers)
        for name, rule in rules.items()
    }


def _exact(answers: Sequence[TaskAnswer]) -> float:
    right = sum(_folded(answer.parsed['text']) in map(_folded, answer.references) for answer in answers)
    return 100 * right / len(answers)


def _folded(text: str) -> str:
    return ' '.join(text.casefold().split())
