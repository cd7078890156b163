"""How Florence-2 answers prompts, whatever runs its layers: PyTorch, or exported graphs.

Axes: B prompts, N_i image tokens, N tokens of image and prompt, D width.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from florence.models.language.base_tokenizer import BaseTokenizer
from florence.models.seq2seq import BeamSettings, Hypothesis, StepDecoder, beam_search
from florence.tasks.florence2.quantizer import check_locations


class LanguageSide(Protocol):
    """What reads an image with a prompt."""

    max_positions: int

    def token_embedding(self, input_ids: Tensor) -> Tensor:
        """`(B, L)` to `(B, L, D)`."""

    def encode(self, embeds: Tensor, mask: Tensor | None) -> Any:
        """What the decoder needs to know of embeddings `(B, N, D)` under a mask `(B, N)` bool, None = nothing is padding."""


@dataclass(frozen=True)
class Answering:
    """Prompts about images to answers.

    Args:
        words: The tokenizer.
        language_model: Embeds and encodes.
        decoding: Makes a decoder of what `language_model.encode` gives, and of the mask.
        attends_to_padding: Whether the padding of prompts is read as text.
    """

    words: BaseTokenizer
    language_model: LanguageSide
    decoding: Callable[[Any, Tensor | None], StepDecoder]
    attends_to_padding: bool

    def encode(self, image_tokens: Tensor, prompts: list[str], names: Sequence[str]) -> tuple[Any, Tensor | None]:
        """What the language model makes of images with prompts, and their mask `(B, N)` bool, None = nothing is padding.

        Args:
            image_tokens: `(B, N_i, D)`.
            prompts: One for each.
            names: Name of each sample, for the error.

        Raises:
            ValueError: If an image and its prompt are longer than the positions, or a prompt has a location token beyond
                `<loc_999>`.
        """
        for name, prompt in zip(names, prompts, strict=True):
            check_locations(prompt, f'the prompt of sample {name!r}')
        encoded = self.words(prompts)
        num_image = image_tokens.shape[1]
        require_positions(
            self.language_model.max_positions,
            num_image + encoded['attention_mask'].sum(1),
            names,
            f'an image of {num_image} tokens with its prompt',
            'shorten the prompt, use smaller images or a model with more positions',
        )
        device = image_tokens.device
        embeds = self.language_model.token_embedding(encoded['input_ids'].to(device))
        embeds = torch.cat([image_tokens.to(embeds.dtype), embeds], 1)
        mask = None
        if not self.attends_to_padding and not encoded['attention_mask'].all():
            mask = torch.nn.functional.pad(encoded['attention_mask'].bool(), (num_image, 0), value=True).to(device)
        return self.language_model.encode(embeds, mask), mask

    def generate(
        self, image_tokens: Tensor, prompts: list[str], search: BeamSettings, names: Sequence[str] | None
    ) -> list[list[Hypothesis]]:
        """Answers to prompts, the best first; their tokens begin with the start token.

        Args:
            image_tokens: One for each prompt, or one for all, `(B, N_i, D)` or `(1, N_i, D)`.
            prompts: What is asked.
            search: How answers are searched.
            names: Name of each sample, for errors; None: their numbers.

        Raises:
            ValueError: If numbers of images and prompts differ, or what is read or asked for is longer than the positions.
        """
        require_room(search, self.language_model.max_positions)
        if len(image_tokens) not in (1, len(prompts)):
            raise ValueError(f'{len(image_tokens)} images for {len(prompts)} prompts: give one image, or one for each prompt.')
        names = [str(number) for number in range(len(prompts))] if names is None else names
        memory, mask = self.encode(image_tokens.expand(len(prompts), -1, -1), prompts, names)
        unused = rows_without_token(self.words)
        return beam_search(
            self.decoding(memory, mask),
            torch.full((len(prompts), 1), self.words.eot_id, device=image_tokens.device),
            end_id=self.words.eot_id,
            settings=search,
            suppressed=None if unused is None else unused.to(image_tokens.device),
            forced_first_id=self.words.sot_id,
            end_is_forced=True,
        )


def rows_without_token(words: BaseTokenizer) -> Tensor | None:
    """Rows of the embedding that no answer may hold, `(n,)`; None where every row has its token."""
    unused = torch.ones(words.vocab_size, dtype=torch.bool)
    unused[words.ordinary_ids()] = False
    unused[list(words.special_ids)] = False
    return unused.nonzero()[:, 0] if unused.any() else None


def require_positions(positions: int, lengths: Tensor, names: Sequence[str], what: str, advice: str) -> None:
    """Raise a ValueError that names the longest sample where it has more tokens than there are positions.

    Args:
        positions: Of the language model.
        lengths: Tokens of each sample, `(B,)`.
        names: Name of each sample.
        what: What makes these tokens.
        advice: What to do.
    """
    longest = int(lengths.argmax())
    if lengths[longest] > positions:
        raise ValueError(
            f'sample {names[longest]!r}: {what} makes {int(lengths[longest])} tokens, the language model has {positions} '
            f'positions: {advice}.'
        )


def require_room(search: BeamSettings, positions: int) -> None:
    """Check that the longest answer fits into the positions of the decoder.

    Raises:
        ValueError: If it does not.
    """
    if search.max_new_tokens > positions:
        raise ValueError(
            f'max_new_tokens={search.max_new_tokens} exceeds the {positions} positions of the decoder: ask for fewer.'
        )
