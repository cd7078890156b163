"""Hides tokens of texts for masked language modelling.

Source: BERT (arXiv 1810.04805, section 3.1), METER (arXiv 2111.02387, section 3.3). 15 % of the tokens are to be predicted; of
those 80 % become the mask token, 10 % a random token, 10 % stay. Special tokens and padding are never chosen. With whole words
the draw is one for all subwords of a word.

Differs from the collator that METER uses: in every text at least one token (or word) is chosen, so a batch of short captions
always has something to predict; random tokens are ordinary ones, never special.

Axes: B batch, L tokens.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from florence.models.language.base_tokenizer import BaseTokenizer

IGNORED = -100


class TokenMasker:
    """Chooses and hides tokens.

    Args:
        ratio: Probability that a token, or a word, is chosen, in (0, 1).
        whole_word: Whether all subwords of a word are chosen together.
        mask_share: Share of the chosen tokens that become the mask token.
        random_share: Share of the chosen tokens that become a random token; the rest stays as it is.

    Raises:
        ValueError: If a share is out of its range.
    """

    def __init__(
        self, ratio: float = 0.15, *, whole_word: bool = True, mask_share: float = 0.8, random_share: float = 0.1
    ) -> None:
        if not 0 < ratio < 1:
            raise ValueError(f'the share of masked tokens must lie in (0, 1), got {ratio}.')
        if min(mask_share, random_share) < 0 or mask_share + random_share > 1:
            raise ValueError(
                f'mask_share and random_share must not be negative and sum to at most 1, got {mask_share} and {random_share}.'
            )
        self.ratio, self.whole_word = ratio, whole_word
        self.mask_share, self.random_share = mask_share, random_share

    def __call__(
        self, tokenizer: BaseTokenizer, input_ids: Tensor, attention_mask: Tensor, seeds: Sequence[int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Hide tokens of a batch.

        Args:
            tokenizer: Made the ids.
            input_ids, attention_mask: `(B, L)` int64, on the CPU; 1 = keep.
            seeds: One number per text, which alone decides what is hidden of it; None draws from torch's generator.

        Returns:
            The ids with some hidden, `(B, L)`, and the ids to predict, `(B, L)`, `IGNORED` where nothing was chosen.

        Raises:
            ValueError: If the tokenizer has no mask token.
        """
        if tokenizer.mask_id is None:
            raise ValueError(
                f'{type(tokenizer).__name__} has no mask token, which masked language modelling needs: use a tokenizer that has '
                'one, such as that of RoBERTa or TrainedBPE(mask_token=True).'
            )
        choice, fate, replacement = _uniform(attention_mask, seeds)
        special = torch.tensor(sorted(tokenizer.special_ids))
        allowed = attention_mask.bool() & ~torch.isin(input_ids, special)
        chosen = self._choose(tokenizer, input_ids, choice, allowed)
        ordinary = tokenizer.ordinary_ids()
        random_ids = ordinary[(replacement * len(ordinary)).long()]
        masked = torch.where(chosen & (fate < self.mask_share), tokenizer.mask_id, input_ids)
        is_random = chosen & (fate >= self.mask_share) & (fate < self.mask_share + self.random_share)
        return torch.where(is_random, random_ids, masked), torch.where(chosen, input_ids, IGNORED)

    def _choose(self, tokenizer: BaseTokenizer, input_ids: Tensor, choice: Tensor, allowed: Tensor) -> Tensor:
        if self.whole_word:
            word = tokenizer.begins_word(input_ids).long().cumsum(1) - 1
            choice = choice.gather(1, word)  # all subwords share the number of their word
        choice = choice.masked_fill(~allowed, torch.inf)
        # The smallest number of a text is always chosen; infinity is that of a text that holds special tokens alone.
        threshold = choice.amin(1, keepdim=True).clamp(min=self.ratio)
        return (choice <= threshold) & allowed


def _uniform(attention_mask: Tensor, seeds: Sequence[int] | None) -> Tensor:
    """Three numbers in [0, 1) per token, `(3, B, L)`; those of a seed do not depend on the padding."""
    if seeds is None:
        return torch.rand(3, *attention_mask.shape)
    numbers = torch.zeros(3, *attention_mask.shape)
    for row, (seed, length) in enumerate(zip(seeds, attention_mask.sum(1).tolist(), strict=True)):
        numbers[:, row, :length] = torch.rand(3, length, generator=torch.Generator().manual_seed(seed))
    return numbers
