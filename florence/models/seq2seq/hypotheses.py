"""Texts that a beam search has found: the best K of each item while it runs, and how they are handed out.

Axes: B items, K results, C candidates, T tokens.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Hypothesis:
    """A text that was found.

    Attributes:
        tokens: New tokens, without the prompt and the end token.
        score: Summed log-probability, nats, over the length to the power of the length penalty.
        log_probs: Log-probability of each token after those before it, nats, under the rules of the search: 0 where it was
            forced; the last one is the end token's where there is one.
        is_ended: Whether the model ended the text; False = cut at `max_new_tokens`.
    """

    tokens: tuple[int, ...]
    score: float
    log_probs: tuple[float, ...]
    is_ended: bool


@dataclass
class Results:
    """The best K ended texts of each item, best first; a score of -inf where there are fewer."""

    scores: Tensor  # (B, K)
    tokens: Tensor  # (B, K, max_new_tokens)
    log_probs: Tensor  # (B, K, max_new_tokens)
    lengths: Tensor  # (B, K), end token included

    @classmethod
    def empty(cls, num_items: int, num_results: int, max_length: int, device: torch.device) -> 'Results':
        scores = torch.full((num_items, num_results), -torch.inf, device=device)
        tokens = torch.zeros(num_items, num_results, max_length, dtype=torch.int64, device=device)
        return cls(scores, tokens, torch.zeros_like(tokens, dtype=scores.dtype), torch.zeros_like(tokens[..., 0]))

    def add(self, scores: Tensor, tokens: Tensor, log_probs: Tensor) -> None:
        """Merge candidates of one length: scores `(B, C)`, -inf where they are none; tokens and log-probabilities `(B, C, T)`."""
        num_results, missing = self.scores.shape[1], self.tokens.shape[2] - tokens.shape[2]
        # Results first: of equal scores the text that was found first stays before the other.
        self.scores, order = torch.cat([self.scores, scores], 1).sort(descending=True, stable=True)
        self.scores, order = self.scores[:, :num_results], order[:, :num_results]
        lengths = self.lengths.new_full(scores.shape, tokens.shape[2])
        self.lengths = torch.cat([self.lengths, lengths], 1).gather(1, order)
        self.tokens, self.log_probs = (
            pick(torch.cat([own, torch.nn.functional.pad(new, (0, missing))], 1), order)
            for own, new in ((self.tokens, tokens), (self.log_probs, log_probs))
        )

    def only(self, items: Tensor) -> 'Results':
        """Those of some items."""
        return Results(self.scores[items], self.tokens[items], self.log_probs[items], self.lengths[items])

    def hypotheses(self, end_id: int, *, end_is_forced: bool) -> list[list[Hypothesis]]:
        """As they are handed out.

        Args:
            end_id: Token that ends a text.
            end_is_forced: Whether a text of the largest length has its end token from the search, not from the model.
        """
        longest = self.tokens.shape[2]
        fields = (self.scores, self.tokens, self.log_probs, self.lengths)
        found = []
        for item in zip(*(field.tolist() for field in fields), strict=True):
            rows = zip(*item, strict=True)
            found.append([_hypothesis(*row, end_id, longest if end_is_forced else None) for row in rows if row[0] > -torch.inf])
        return found


def pick(values: Tensor, index: Tensor) -> Tensor:
    """Rows `(B, C, T)` of `(B, K, T)`, by `(B, C)`."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[2]))


def _hypothesis(
    score: float, tokens: list[int], log_probs: list[float], length: int, end_id: int, forced_at: int | None
) -> Hypothesis:
    has_end = tokens[length - 1] == end_id
    return Hypothesis(tuple(tokens[: length - has_end]), score, tuple(log_probs[:length]), has_end and length != forced_at)
