"""Beam search over a batch, for any decoder that goes on token by token.

The search is that of `transformers` 5 (`generate(num_beams=K)` without sampling): of the 2 K best continuations the best K that
do not end go on, those among the first K that end are results; a result's score is its summed log-probability over its length,
end token included, to the power of the length penalty. With one beam it is greedy search. Differs in: an item leaves the batch
when it is finished, equal scores are ordered by beam, then token, no beam exists before there is a token for it, and forced
tokens cost no step of the decoder.

Axes: B items (images), K beams, P tokens of the prompt, V vocabulary.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from florence.models.seq2seq.hypotheses import Hypothesis, Results, pick
from florence.models.seq2seq.stable_topk import stable_topk
from florence.models.seq2seq.token_rules import forbid_repeated_ngrams, penalize_repeats


class StepDecoder(Protocol):
    """A decoder in the middle of B texts, with K beams of each; it begins with one beam per text and no token."""

    def step(self, tokens: Tensor) -> Tensor:
        """Logits of the next token, `(B, K, V)`, after each beam got the tokens `(B, K, T)`."""

    def keep(self, items: Tensor | None, beams: Tensor) -> None:
        """Go on with these beams: of the items `(B',)`, None = all, those numbered `beams`, `(B', K')`."""


@dataclass(frozen=True)
class BeamSettings:
    """How to search; names and meaning are those of `transformers`.

    Args:
        num_beams: K; 1 = greedy.
        max_new_tokens: Longest text, end token included.
        min_new_tokens: So many tokens come before the end token.
        length_penalty: Above 0 favours long texts, below 0 short ones.
        repetition_penalty: Factor on the log-probability of tokens that have occurred; 1 = none.
        no_repeat_ngram_size: No n-gram of this size occurs twice; 0 = free.
        early_stopping: Stop at K results; else when no running beam can better the worst of K results at its present length.

    Raises:
        ValueError: If a number is out of range.
    """

    num_beams: int = 5
    max_new_tokens: int = 30
    min_new_tokens: int = 0
    length_penalty: float = 1.0
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    early_stopping: bool = False

    def __post_init__(self) -> None:
        smallest = {'num_beams': 1, 'max_new_tokens': 1, 'min_new_tokens': 0, 'no_repeat_ngram_size': 0}
        for name, least in smallest.items():
            if getattr(self, name) < least:
                raise ValueError(f'{name} must be at least {least}, got {getattr(self, name)}.')
        if self.min_new_tokens >= self.max_new_tokens:
            raise ValueError(
                f'min_new_tokens={self.min_new_tokens} must be below max_new_tokens={self.max_new_tokens}, which counts the end.'
            )
        if self.repetition_penalty <= 0:
            raise ValueError(f'repetition_penalty must be positive, got {self.repetition_penalty}.')


class _Search:
    """State of a search: the running beams of the items that are not finished, and what was found.

    Args:
        prompt: `(B, P)`.
        end_id: Token that ends a text.
        settings: How to search.
        end_is_forced: Whether a text that would become too long gets the end token.
    """

    def __init__(self, prompt: Tensor, end_id: int, settings: BeamSettings, end_is_forced: bool) -> None:
        num_items, longest = len(prompt), settings.max_new_tokens
        self.end_id, self.settings, self.end_is_forced = end_id, settings, end_is_forced
        self.prompt_length, self.num_new = prompt.shape[1], 0
        self.tokens = prompt[:, None]  # (B, 1, P)
        self.scores = torch.zeros(num_items, 1, device=prompt.device)
        self.log_probs = self.scores.new_zeros(num_items, 1, 0)  # of the new tokens
        self.results = Results.empty(num_items, settings.num_beams, longest, prompt.device)
        self.items = torch.arange(num_items, device=prompt.device)
        self.found: list[list[Hypothesis]] = [[] for _ in range(num_items)]

    def force(self, token: int) -> None:
        """Give every beam this token, with the log-probability 0."""
        self.num_new += 1
        self.tokens = torch.nn.functional.pad(self.tokens, (0, 1), value=token)
        self.log_probs = torch.nn.functional.pad(self.log_probs, (0, 1))

    def extend(self, log_probs: Tensor) -> tuple[Tensor | None, Tensor]:
        """Give each beam its next token.

        Args:
            log_probs: `(B, K, V)`.

        Returns:
            What `StepDecoder.keep` needs: items that go on, None = all, and their beams.
        """
        num_beams, vocab_size = self.settings.num_beams, log_probs.shape[2]
        self.num_new += 1
        total = (log_probs + self.scores[..., None]).flatten(1)  # (B, K V)
        best, index = stable_topk(total, min(2 * num_beams, total.shape[1]))  # (B, C)
        if best.isnan().any():
            raise ValueError('beam search met scores that are not numbers: the weights of the model or the images hold NaN.')
        beams, next_tokens = index // vocab_size, index % vocab_size
        candidates = torch.cat([pick(self.tokens, beams), next_tokens[..., None]], 2)  # (B, C, P + num_new)
        gains = log_probs.flatten(1).gather(1, index)
        history = torch.cat([pick(self.log_probs, beams), gains[..., None]], 2)  # (B, C, num_new)
        ends = (next_tokens == self.end_id) | (self.num_new == self.settings.max_new_tokens)
        self._collect(best, candidates, history, ends)
        best = best.masked_fill(ends, -torch.inf)
        # What ends goes last; a beam with the score -inf has no continuation.
        order = (best == -torch.inf).long().sort(dim=1, stable=True).indices[:, :num_beams]
        self.scores, beams = best.gather(1, order), beams.gather(1, order)
        self.tokens, self.log_probs = pick(candidates, order), pick(history, order)
        items = self._leave()
        return items, beams if items is None else beams[items]

    def finish(self) -> None:
        """End all beams: they have one token less than the longest text."""
        self.force(self.end_id)
        ends = torch.ones_like(self.scores, dtype=torch.bool)
        self._collect(self.scores, self.tokens, self.log_probs, ends)
        self.scores = torch.full_like(self.scores, -torch.inf)
        self._leave()

    def _collect(self, scores: Tensor, candidates: Tensor, history: Tensor, ends: Tensor) -> None:
        """Put the candidates that end, among the first K, with the results."""
        ends = ends & (torch.arange(ends.shape[1], device=ends.device) < self.settings.num_beams)
        if ends.any():
            scores = (scores / self.num_new**self.settings.length_penalty).masked_fill(~ends, -torch.inf)
            self.results.add(scores, candidates[..., self.prompt_length :], history)

    def _leave(self) -> Tensor | None:
        """Take finished items out; those that remain, None = all."""
        worst, best_running = self.results.scores[:, -1], self.scores[:, 0] / self.num_new**self.settings.length_penalty
        is_full = worst > -torch.inf
        settled = is_full if self.settings.early_stopping else is_full & (best_running <= worst)
        done = settled | (best_running == -torch.inf)
        if not done.any():
            return None
        hypotheses = self.results.only(done).hypotheses(self.end_id, end_is_forced=self.end_is_forced)
        for item, found in zip(self.items[done].tolist(), hypotheses, strict=True):
            self.found[item] = found
        remaining = (~done).nonzero()[:, 0]
        self.results, self.items, self.scores = self.results.only(remaining), self.items[remaining], self.scores[remaining]
        self.tokens, self.log_probs = self.tokens[remaining], self.log_probs[remaining]
        return remaining


@torch.no_grad()
def beam_search(
    decoder: StepDecoder,
    prompt: Tensor,
    *,
    end_id: int,
    settings: BeamSettings | None = None,
    suppressed: Tensor | None = None,
    forced_first_id: int | None = None,
    end_is_forced: bool = False,
) -> list[list[Hypothesis]]:
    """The most probable continuations of each prompt.

    Args:
        decoder: Not yet stepped.
        prompt: Tokens that every text begins with, the start token for one, `(B, P)` int64, on the decoder's device.
        end_id: Token that ends a text.
        settings: None: `BeamSettings()`.
        suppressed: Tokens that no text may hold, `(n,)` int64.
        forced_first_id: First new token of every text (`forced_bos_token_id` of `transformers`); it counts as a new token.
        end_is_forced: Whether the last of `max_new_tokens` is the end token (`forced_eos_token_id` of `transformers`).

    Returns:
        Per item up to K hypotheses, best first; none where the rules leave no text.

    Raises:
        ValueError: If the decoder gives scores that are not numbers, or forced tokens leave no room for others.
    """
    settings = settings or BeamSettings()
    num_forced = (forced_first_id is not None) + end_is_forced
    if settings.max_new_tokens < 1 + num_forced:
        raise ValueError(f'max_new_tokens={settings.max_new_tokens} must exceed the {num_forced} tokens that are forced.')
    search = _Search(prompt, end_id, settings, end_is_forced)
    if forced_first_id is not None:
        search.force(forced_first_id)
    new = search.tokens
    while len(search.items):
        log_probs = _constrained(decoder.step(new), search, suppressed)
        items, beams = search.extend(log_probs)
        if end_is_forced and search.num_new == settings.max_new_tokens - 1:
            search.finish()
        if len(search.items) and (items is not None or settings.num_beams > 1):
            decoder.keep(items, beams)
        new = search.tokens[..., -1:]
    return search.found


def _constrained(logits: Tensor, search: _Search, suppressed: Tensor | None) -> Tensor:
    """Log-probabilities under the rules, `(B, K, V)`, in fp32 (fp64 stays fp64)."""
    settings = search.settings
    log_probs = logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(-1)
    flat, tokens = log_probs.flatten(0, 1), search.tokens.flatten(0, 1)  # (B K, V), (B K, T)
    if settings.repetition_penalty != 1:
        flat = penalize_repeats(flat, tokens, settings.repetition_penalty)
    if settings.no_repeat_ngram_size:
        flat = forbid_repeated_ngrams(flat, tokens, settings.no_repeat_ngram_size, search.end_id)
    if suppressed is not None:
        flat[:, suppressed] = -torch.inf
    if search.num_new < settings.min_new_tokens:
        flat[:, search.end_id] = -torch.inf
    return flat.view_as(log_probs)
