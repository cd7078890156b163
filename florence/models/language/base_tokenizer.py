"""What every tokenizer of the package shares: batching, padding, truncation that is counted and said.

A tokenizer maps texts to `input_ids` and `attention_mask`, `(B, L)` int64, 1 = keep, padded on the right to
the longest text of the batch (not to `context_length`: short captions then cost what they are worth). A text
longer than `context_length` is cut at a token boundary and keeps its end token, because the text tower pools
there.
"""

import hashlib
import json
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

import torch
from mmengine.logging import print_log
from torch import Tensor

from florence.models.language.word_starts import word_tables

# The Rust threads of `tokenizers` warn and stop when a data worker is forked after their first use.
os.environ.setdefault('TOKENIZERS_PARALLELISM', 'false')


class BaseTokenizer(ABC):
    """Base of the tokenizers; a subclass provides `_encode`, `decode`, the ids and `vocabulary`.

    Args:
        context_length: Largest number of tokens of a text, start and end tokens included; at least 3.

    Attributes:
        num_truncated: Number of texts cut so far.

    Raises:
        ValueError: If `context_length` is below 3.
    """

    def __init__(self, context_length: int) -> None:
        if context_length < 3:
            raise ValueError(f'context_length must be at least 3 (start, one token, end), got {context_length}')
        self.context_length = context_length
        self.num_truncated = 0
        self._word_tables: tuple[Tensor, Tensor] | None = None
        self._ordinary_ids: Tensor | None = None

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """Number of rows a token embedding needs."""

    @property
    @abstractmethod
    def pad_id(self) -> int:
        """Id that fills the padded positions; the attention mask, not this id, marks them."""

    @property
    @abstractmethod
    def sot_id(self) -> int | None:
        """Id of the start token; None where the vocabulary has none."""

    @property
    @abstractmethod
    def eot_id(self) -> int:
        """Id of the end token."""

    @property
    def mask_id(self) -> int | None:
        """Id of the token that stands for a hidden one; None where the vocabulary has none."""
        return None

    @property
    def special_ids(self) -> frozenset[int]:
        """Ids that are no part of a text."""
        return frozenset({self.pad_id, self.sot_id, self.eot_id, self.mask_id} - {None})  # type: ignore[arg-type]

    @abstractmethod
    def decode(self, ids: Iterable[int] | Tensor) -> str:
        """Text of one sequence of ids; special tokens are left out."""

    @abstractmethod
    def vocabulary(self) -> dict[str, int]:
        """Token -> id."""

    @abstractmethod
    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Uncut ids of each text, start and end tokens included; the end token is last."""

    def __call__(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Tokenize a batch.

        Args:
            texts: One or more texts, none of them empty.

        Returns:
            `input_ids` and `attention_mask`, `(B, L)` int64, 1 = keep; L is the longest text of the batch.

        Raises:
            ValueError: If `texts` is no list of texts, or one of them holds no token.
        """
        if isinstance(texts, str) or not texts or not all(isinstance(text, str) for text in texts):
            raise ValueError(f'a tokenizer expects a non-empty list of texts, got {_describe(texts)}')
        sequences = [self._cut(ids) for ids in self._encode(texts)]
        shortest = (self.sot_id is not None) + 1
        for text, ids in zip(texts, sequences, strict=True):
            if len(ids) <= shortest:
                raise ValueError(f'text {text!r} is empty: it holds no token; drop such samples from the data')
        return self._padded(sequences)

    def begins_word(self, input_ids: Tensor) -> Tensor:
        """Which tokens begin a word, bool of the shape of `input_ids`; special tokens are words of their own.

        Args:
            input_ids: `(..., L)` int64, from the start of the texts, on the CPU.
        """
        if self._word_tables is None:
            self._word_tables = word_tables(self.vocabulary(), self.vocab_size, self.special_ids)
        begins, ends = self._word_tables
        follows = ends[input_ids].roll(1, -1)
        follows[..., 0] = True
        return begins[input_ids] | follows

    def ordinary_ids(self) -> Tensor:
        """Ids of the vocabulary that are not special, rising, `(n,)` int64."""
        if self._ordinary_ids is None:
            self._ordinary_ids = torch.tensor(sorted(set(self.vocabulary().values()) - self.special_ids))
        return self._ordinary_ids

    def state(self) -> dict:
        """What a checkpoint keeps of the tokenizer: enough to know it again."""
        return dict(type=type(self).__name__, vocab_size=self.vocab_size, fingerprint=fingerprint(self.vocabulary()))

    def load_state(self, state: dict) -> None:
        """Check that a checkpoint was made with this tokenizer.

        Raises:
            ValueError: If it was made with another one.
        """
        own = self.state()
        if state != own:
            raise ValueError(
                f'the checkpoint was made with tokenizer {_short(state)}, this model has {_short(own)}: '
                'configure the tokenizer of the checkpoint'
            )

    def _padded(self, sequences: Sequence[list[int]]) -> dict[str, Tensor]:
        length = max(map(len, sequences))
        input_ids = torch.full((len(sequences), length), self.pad_id, dtype=torch.int64)
        attention_mask = torch.zeros_like(input_ids)
        for row, ids in enumerate(sequences):
            input_ids[row, : len(ids)] = torch.tensor(ids)
            attention_mask[row, : len(ids)] = 1
        return dict(input_ids=input_ids, attention_mask=attention_mask)

    def _cut(self, ids: list[int]) -> list[int]:
        if len(ids) <= self.context_length:
            return ids
        self.num_truncated += 1
        if str(self.num_truncated).strip('0') == '1':  # 1, 10, 100, ...
            print_log(
                f'{type(self).__name__} has cut {self.num_truncated} text(s) to context_length='
                f'{self.context_length} tokens; the last one had {len(ids)}',
                logger='current',
                level=logging.WARNING,
            )
        return ids[: self.context_length - 1] + ids[-1:]


def fingerprint(vocabulary: dict[str, int]) -> str:
    """Hash of tokens and their ids."""
    return hashlib.blake2b(json.dumps(sorted(vocabulary.items())).encode(), digest_size=16).hexdigest()


def as_ids(ids: Iterable[int] | Tensor) -> list[int]:
    """Plain list of one sequence of ids.

    Raises:
        ValueError: If a tensor is not one-dimensional.
    """
    if isinstance(ids, Tensor):
        if ids.dim() != 1:
            raise ValueError(f'decode expects the ids of one text, shape (L,), got shape {tuple(ids.shape)}')
        return ids.tolist()
    return [int(i) for i in ids]


def _describe(texts: Sequence) -> str:
    if isinstance(texts, str):
        return f'the single text {texts!r}: put it in a list'
    if not texts:
        return 'nothing'
    return 'items of type ' + ', '.join(sorted({type(text).__name__ for text in texts}))


def _short(state: dict) -> str:
    mark = state.get('fingerprint', '')
    return f'{state.get("type")} ({state.get("vocab_size")} tokens{", vocabulary " + mark[:8] if mark else ""})'
