"""Scores of Florence-2's boxes from the likelihoods of their tokens; the model itself gives none.

| mode | score |
|---|---|
| `const` | 1 |
| `loc` | geometric mean of the probabilities of the box's location tokens, as in Microsoft's release |
| `cat` | geometric mean of those of its label's tokens |
| `product` | `loc` times `cat` |
"""

import math
from collections.abc import Sequence

SCORE_MODES = ('const', 'loc', 'cat', 'product')


def box_scores(
    answer: dict, log_probs: Sequence[float], token_spans: Sequence[tuple[int, int]], mode: str = 'loc'
) -> list[float]:
    """Score of each region of an answer, in [0, 1].

    Args:
        answer: From a parser, of the text that the tokens stand for.
        log_probs: Log-probability of each generated token.
        token_spans: Characters of each one in the text, from `Florence2Tokenizer.decode_with_spans`.
        mode: One of `SCORE_MODES`.

    Raises:
        ValueError: If there is no such mode, the two sequences differ in length, or the mode needs labels and a region has none.
        KeyError: If the answer has no regions.
    """
    if mode not in SCORE_MODES:
        raise ValueError(f'no score mode {mode!r}; known: {", ".join(SCORE_MODES)}')
    if len(log_probs) != len(token_spans):
        raise ValueError(f'{len(log_probs)} log-probabilities for {len(token_spans)} tokens: pass one for each token')
    if 'spans' not in answer:
        raise KeyError(f'the answer has no regions to score, it has {", ".join(answer)}')
    if mode == 'const':
        return [1.0] * len(answer['spans'])
    parts = {'loc': ['spans'], 'cat': ['label_spans'], 'product': ['spans', 'label_spans']}[mode]
    means = [[_mean(log_probs, token_spans, span, mode) for span in answer[part]] for part in parts]
    return [math.exp(sum(of_region)) for of_region in zip(*means, strict=True)]


def _mean(log_probs: Sequence[float], token_spans: Sequence[tuple[int, int]], span: tuple[int, int], mode: str) -> float:
    """Mean over the tokens that share characters with the span."""
    own = [value for value, (start, end) in zip(log_probs, token_spans, strict=True) if start < span[1] and end > span[0]]
    if not own:
        raise ValueError(f'score mode {mode!r} needs tokens of a label or box at characters {span}, there are none: use mode loc')
    return sum(own) / len(own)
