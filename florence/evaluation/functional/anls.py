"""Average normalised Levenshtein similarity: how near an answer comes to one that was read from a document.

Rule of ST-VQA (arXiv 1907.00490) and DocVQA (arXiv 2007.00398): case and runs of white space do not count, the nearest of the
right answers does, and what is less than half right is worth nothing. As in DocVQA's evaluation, a distance is relative to the
longer of both texts as they were written.
"""

from collections.abc import Sequence

LEAST_SIMILARITY = 0.5


def answer_similarity(prediction: str, answers: Sequence[str]) -> float:
    """What one predicted answer is worth, in `[0, 1]`.

    Args:
        prediction: The predicted answer.
        answers: All right ones.

    Raises:
        ValueError: If there is none.
    """
    if not answers:
        raise ValueError('a question without answers has no similarity: evaluate on a set with annotations.')
    similarity = max(1 - _relative_distance(prediction, answer) for answer in answers)
    return similarity if similarity >= LEAST_SIMILARITY else 0.0


def _relative_distance(first: str, second: str) -> float:
    longest = max(len(first), len(second))
    return edit_distance(_folded(first), _folded(second)) / longest if longest else 0.0


def _folded(text: str) -> str:
    return ' '.join(text.lower().split())


def edit_distance(first: str, second: str) -> int:
    """Fewest characters to insert, delete or replace to make one text of the other."""
    distances = list(range(len(second) + 1))  # from the part of `first` so far to each beginning of `second`
    for row, character in enumerate(first, start=1):
        diagonal, distances[0] = distances[0], row
        for column, other in enumerate(second, start=1):
            replaced = diagonal + (character != other)
            diagonal = distances[column]
            distances[column] = min(replaced, diagonal + 1, distances[column - 1] + 1)
    return distances[-1]
