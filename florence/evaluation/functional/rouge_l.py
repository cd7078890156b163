"""ROUGE-L of captions, as the official code computes it (Lin, 2004; tylin/coco-caption): F of the longest common subsequence.

Precision and recall are each the best over the references, and recall weighs 1.2 times. Official quirk, kept: an empty caption
counts as one empty word, so an empty hypothesis scores 1 where a reference is empty too, else 0.

The common subsequence is found for all places at once in the bits of one integer (Hyyro, 2004), which needs no table.
"""

from collections.abc import Sequence

import numpy as np

from florence.evaluation.functional.ngram_counts import check_captions

BETA = 1.2


def rouge_l(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """ROUGE-L of each image, as a fraction, `(N,)`.

    Args:
        hypotheses: Tokens of one caption per image, joined by spaces.
        references: The same for all references of each image.

    Raises:
        ValueError: As `check_captions`.
    """
    check_captions(hypotheses, references)
    return np.array([_image_score(hypothesis, own) for hypothesis, own in zip(hypotheses, references)])


def _image_score(hypothesis: str, references: Sequence[str]) -> float:
    # By single spaces, as the official code does, so that an empty text is one empty word.
    words = hypothesis.split(' ')
    places: dict[str, int] = {}
    for index, word in enumerate(words):
        places[word] = places.get(word, 0) | 1 << index
    precision = recall = 0.0
    for reference in references:
        own = reference.split(' ')
        common = common_length(places, len(words), own)
        precision = max(precision, common / len(words))
        recall = max(recall, common / len(own))
    if not precision or not recall:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def common_length(places: dict[str, int], length: int, words: Sequence[str]) -> int:
    """Length of the longest common subsequence.

    Args:
        places: Of each word of the one text, the set of its places as bits.
        length: Words of that text.
        words: The other text.
    """
    everything = (1 << length) - 1
    free = everything
    for word in words:
        found = places.get(word)
        if found:
            taken = free & found
            free = (free + taken | free - taken) & everything
    return length - free.bit_count()
