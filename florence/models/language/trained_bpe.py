"""Byte-level BPE trained on the captions themselves: a small vocabulary for small worlds, with no download.

Byte level means that no text is ever out of vocabulary. Special tokens take the first ids (`<pad>` 0, `<sot>` 1, `<eot>` 2, and
on request `<mask>` 3); text that spells one of them is encoded as ordinary text. Training is deterministic in the texts.
"""

import json
from collections.abc import Iterable, Sequence

from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers, trainers
from tokenizers.models import BPE
from torch import Tensor

from florence.models.language.base_tokenizer import BaseTokenizer, as_ids
from florence.registry import TOKENIZERS

SPECIAL_TOKENS = ['<pad>', '<sot>', '<eot>']
MASK_TOKEN = '<mask>'
PAD, SOT, EOT, MASK = range(4)
SMALLEST_VOCAB = len(SPECIAL_TOKENS) + 256


@TOKENIZERS.register_module()
class TrainedBPE(BaseTokenizer):
    """Byte-level BPE whose vocabulary comes from `train` or from a checkpoint.

    Args:
        vocab_size: Upper bound of the vocabulary, and the size the embedding is made for; training on few
            texts may yield fewer tokens. At least 259: the 256 bytes and three special tokens (260 with a mask token).
        context_length: Largest number of tokens of a text, start and end tokens included.
        lower: Lower-case texts first.
        mask_token: Whether one more special token stands for hidden ones (masked language modelling).

    Raises:
        ValueError: If `vocab_size` is too small.
    """

    def __init__(self, vocab_size: int, context_length: int = 76, lower: bool = True, mask_token: bool = False) -> None:
        super().__init__(context_length)
        self._special_tokens = SPECIAL_TOKENS + [MASK_TOKEN] * mask_token
        if vocab_size < SMALLEST_VOCAB + mask_token:
            raise ValueError(
                f'vocab_size must be at least {SMALLEST_VOCAB + mask_token} (256 bytes and {len(self._special_tokens)} special '
                f'tokens), got {vocab_size}'
            )
        self.lower, self.mask_token = lower, mask_token
        self._vocab_size = vocab_size
        self._tokenizer: Tokenizer | None = None

    @property
    def is_trained(self) -> bool:
        """Whether there is a vocabulary."""
        return self._tokenizer is not None

    @property
    def vocab_size(self) -> int:
        return self._vocab_size

    @property
    def pad_id(self) -> int:
        return PAD

    @property
    def sot_id(self) -> int:
        return SOT

    @property
    def eot_id(self) -> int:
        return EOT

    @property
    def mask_id(self) -> int | None:
        return MASK if self.mask_token else None

    def train(self, texts: Iterable[str]) -> None:
        """Learn the vocabulary.

        Args:
            texts: Training captions; read once.

        Raises:
            ValueError: If there is a vocabulary already, or `texts` is empty.
        """
        if self.is_trained:
            raise ValueError('this TrainedBPE has a vocabulary already: make a new one to train on other texts')
        tokenizer = Tokenizer(BPE())
        cleaning = [normalizers.NFC(), normalizers.Replace(Regex(r'\s+'), ' '), normalizers.Strip()]
        tokenizer.normalizer = normalizers.Sequence(cleaning + [normalizers.Lowercase()] * self.lower)
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=self._vocab_size,
            special_tokens=self._special_tokens,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        num_texts = 0

        def counted() -> Iterable[str]:
            nonlocal num_texts
            for text in texts:
                num_texts += 1
                yield text

        tokenizer.train_from_iterator(counted(), trainer)
        if not num_texts:
            raise ValueError('TrainedBPE.train got no text: pass the captions of the training set')
        description = json.loads(tokenizer.to_str())
        # As added tokens they would be found in captions, too: one that spells '<eot>' would end early.
        description['added_tokens'] = []
        self._tokenizer = Tokenizer.from_str(json.dumps(description))

    def to_json(self) -> str:
        """Vocabulary and settings as JSON; an untrained one is written too, without a vocabulary."""
        return json.dumps(self.state())

    @classmethod
    def from_json(cls, text: str) -> 'TrainedBPE':
        """The tokenizer that `to_json` wrote.

        Raises:
            ValueError: If the text was not written by `to_json`.
        """
        state = json.loads(text)
        if state.get('type') != cls.__name__:
            raise ValueError(f'expected JSON written by {cls.__name__}.to_json, found type {state.get("type")!r}')
        tokenizer = cls(state['vocab_size'], state['context_length'], state['lower'], state.get('mask_token', False))
        tokenizer.load_state(state)
        return tokenizer

    def state(self) -> dict:
        return dict(
            type=type(self).__name__,
            vocab_size=self._vocab_size,
            context_length=self.context_length,
            lower=self.lower,
            mask_token=self.mask_token,
            bpe=None if self._tokenizer is None else json.loads(self._tokenizer.to_str()),
        )

    def load_state(self, state: dict) -> None:
        """Take over the vocabulary of a checkpoint; `context_length` stays that of this tokenizer.

        Raises:
            ValueError: If the checkpoint was made with another kind or size of tokenizer.
        """
        state = {'mask_token': False, **state}  # older checkpoints do not say
        for key in ('type', 'vocab_size', 'lower', 'mask_token'):
            if state.get(key) != self.state()[key]:
                raise ValueError(
                    f'the checkpoint was made with a tokenizer of {key}={state.get(key)!r}, this model has '
                    f'{key}={self.state()[key]!r}: configure the tokenizer of the checkpoint'
                )
        self._word_tables = self._ordinary_ids = None
        self._tokenizer = None if state['bpe'] is None else Tokenizer.from_str(json.dumps(state['bpe']))

    def vocabulary(self) -> dict[str, int]:
        return self._trained().get_vocab()

    def decode(self, ids: Iterable[int] | Tensor) -> str:
        return self._trained().decode([i for i in as_ids(ids) if i >= len(self._special_tokens)]).strip()

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        encodings = self._trained().encode_batch_fast(list(texts), add_special_tokens=False)
        return [[SOT, *encoding.ids, EOT] for encoding in encodings]

    def _trained(self) -> Tokenizer:
        if self._tokenizer is None:
            raise ValueError(
                'this TrainedBPE has no vocabulary yet: call train(texts) with the training captions or load a checkpoint'
            )
        return self._tokenizer
