"""BLEU of captions with several references, as the official code computes it (Papineni et al., ACL 2002; tylin/coco-caption).

The length to reach is that of the reference closest in length, the shorter of two. No smoothing but constants against division by
zero: an n-gram order without a match gives a score that is not exactly 0, but below 1e-3 for one image.
"""

import numpy as np

from florence.evaluation.functional.ngram_counts import CaptionNgrams, NgramCounts

# Constants of the official code.
SMALL, TINY = 1e-9, 1e-15


def bleu(ngrams: CaptionNgrams) -> tuple[np.ndarray, np.ndarray]:
    """BLEU-1 to BLEU-n, as fractions.

    Returns:
        That of all N images together, `(n,)`, and that of each image, `(N, n)`.
    """
    lengths = ngrams.hypothesis_lengths
    wanted = closest_lengths(ngrams)
    correct = np.stack([_matches(counts, ngrams) for counts in ngrams.orders], axis=1)  # (N, n)
    guesses = np.stack([np.maximum(lengths - order, 0) for order in range(len(ngrams.orders))], axis=1)
    totals = [part.sum(0, keepdims=True) for part in (correct, guesses, lengths, wanted)]
    return _scores(*totals)[0], _scores(correct, guesses, lengths, wanted)


def closest_lengths(ngrams: CaptionNgrams) -> np.ndarray:
    """Length of the reference of each image whose length is closest to the hypothesis, `(N,)`; the shorter of two."""
    lengths = ngrams.reference_lengths
    distance = np.abs(lengths - ngrams.hypothesis_lengths[ngrams.image_of_reference])
    size = lengths.max() + 1
    # Distance first, then length, in one number.
    return np.minimum.reduceat(distance * size + lengths, ngrams.first_reference) % size


def _matches(counts: NgramCounts, ngrams: CaptionNgrams) -> np.ndarray:
    """N-grams of each hypothesis that a reference has as often, `(N,)`."""
    hypotheses, references = counts.hypotheses, counts.references
    matches = np.zeros(len(ngrams.hypothesis_lengths), dtype=np.int64)
    if not len(references.text) or not len(hypotheses.text):
        return matches
    keys = ngrams.image_of_reference[references.text] * len(counts) + references.gram
    order = np.argsort(keys, kind='stable')
    keys = keys[order]
    first = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    most = np.maximum.reduceat(references.count[order], first)
    keys = keys[first]
    wanted = hypotheses.text * len(counts) + hypotheses.gram
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    allowed = np.where(keys[place] == wanted, most[place], 0)
    np.add.at(matches, hypotheses.text, np.minimum(hypotheses.count, allowed))
    return matches


def _scores(correct: np.ndarray, guesses: np.ndarray, lengths: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Geometric means of the precisions with the penalty for short captions, `(R, n)`."""
    precisions = (correct + TINY) / (guesses + SMALL)
    scores = np.cumprod(precisions, axis=1) ** (1 / np.arange(1, correct.shape[1] + 1))
    ratio = (lengths + TINY) / (wanted + SMALL)
    return scores * np.where(ratio < 1, np.exp(1 - 1 / ratio), 1)[:, None]
