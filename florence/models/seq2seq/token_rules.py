"""Rules that forbid or disfavour next tokens: repeated tokens, repeated n-grams, an early end.

Definitions and order are those of `transformers`' logits processors in its beam search: on log-probabilities, and over the whole
sequence, prompt included. Differs in: the end token is never a repetition.

Axes: N sequences, T tokens so far, V vocabulary.
"""

import torch
from torch import Tensor


def penalize_repeats(log_probs: Tensor, tokens: Tensor, penalty: float) -> Tensor:
    """Multiply the log-probability of each token that has occurred by the penalty (CTRL, arXiv 1909.05858, section 4.1).

    Args:
        log_probs: `(N, V)`.
        tokens: `(N, T)`.
        penalty: Above 1 disfavours repetition.
    """
    seen = log_probs.gather(1, tokens)
    return log_probs.scatter(1, tokens, torch.where(seen < 0, seen * penalty, seen / penalty))


def forbid_repeated_ngrams(log_probs: Tensor, tokens: Tensor, size: int, end_id: int) -> Tensor:
    """Forbid each token that would complete an n-gram for the second time.

    Args:
        log_probs: `(N, V)`.
        tokens: `(N, T)`.
        size: n.
        end_id: The end token, which is never forbidden.
    """
    if tokens.shape[1] < size:
        return log_probs
    ngrams = tokens.unfold(1, size, 1)  # (N, T - n + 1, n)
    begun = tokens[:, tokens.shape[1] - size + 1 :]  # (N, n - 1)
    repeats = (ngrams[..., :-1] == begun[:, None]).all(2) & (ngrams[..., -1] != end_id)
    # A sum, because an assignment by index would make the device wait for the number of repeats.
    return log_probs.scatter_add(1, ngrams[..., -1], log_probs.new_zeros(repeats.shape).masked_fill_(repeats, -torch.inf))
