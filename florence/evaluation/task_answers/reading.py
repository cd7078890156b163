"""Figures of texts that were read with their place in the image (OCR with regions)."""

from collections.abc import Sequence

from florence.evaluation.task_answers.answer import TaskAnswer
from florence.evaluation.task_answers.places import LEAST_OVERLAP, rasterized


def score_reading(answers: Sequence[TaskAnswer]) -> dict[str, float]:
    """`precision`, `recall` and `F1` of pairs of text and quad, percent: the same text, and quads that overlap by half.

    Each text of the truth is found once.
    """
    num_right = num_found = num_wanted = 0
    for answer in answers:
        left = list(zip(answer.truth['labels'], answer.truth['quads'], strict=True))
        num_wanted += len(left)
        num_found += len(answer.parsed['labels'])
        for label, quad in zip(answer.parsed['labels'], answer.parsed['quads'], strict=True):
            for candidate in left:
                if candidate[0] == label and _overlap(quad, candidate[1], answer.image_size) >= LEAST_OVERLAP:
                    left.remove(candidate)
                    num_right += 1
                    break
    precision, recall = (100 * num_right / max(total, 1) for total in (num_found, num_wanted))
    return {'precision': precision, 'recall': recall, 'F1': 2 * precision * recall / max(precision + recall, 1e-9)}


def _overlap(first: Sequence[float], second: Sequence[float], image_size: tuple[float, float]) -> float:
    masks = [rasterized([[quad]], image_size) for quad in (first, second)]
    return float((masks[0] & masks[1]).sum() / max((masks[0] | masks[1]).sum(), 1))
