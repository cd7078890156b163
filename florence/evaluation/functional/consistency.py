"""NLVR2's consistency: a sentence counts only where it is judged rightly about all of its image pairs (arXiv 1811.00491)."""

from collections.abc import Hashable, Iterable


def consistent_share(judgements: Iterable[tuple[Hashable, bool]]) -> float:
    """Share of sentences all of whose judgements are right, in `[0, 1]`.

    Args:
        judgements: Identity of the sentence, and whether the judgement is right; at least one.
    """
    all_right: dict[Hashable, bool] = {}
    for sentence, is_right in judgements:
        all_right[sentence] = all_right.get(sentence, True) and is_right
    assert all_right
    return sum(all_right.values()) / len(all_right)
