"""Florence-2's tokenizer (arXiv 2311.06242): BART's byte-level BPE and 1,024 added tokens, 51,289 in all with the released files.

Case and white space are kept, so `decode` gives every text back. The added tokens, location tokens among them, are found in texts
and stay in decoded ones, because prompts and answers are written with them. Differs from the released tokenizer: a text that
spells a control token (`<s>`, `</s>`, `<pad>`, `<unk>`, `<mask>`) is ordinary text, so that no caption can end itself early.
"""

import codecs
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import AddedToken, Regex, Tokenizer, pre_tokenizers, trainers
from tokenizers.models import BPE
from torch import Tensor

from florence.models.language.base_tokenizer import BaseTokenizer, as_ids, fingerprint
from florence.models.language.florence2_vocabulary import CONTROLS, MASK, Vocabulary, bytes_of_tokens, load_vocabulary
from florence.registry import TOKENIZERS
from florence.tasks.florence2.quantizer import check_locations
from florence.tasks.florence2.tokens import ADDED_TOKEN, ADDED_TOKENS, NUM_BINS

START, PAD, END, UNKNOWN = range(len(CONTROLS))
SMALLEST_VOCAB = len(CONTROLS) + len(ADDED_TOKENS) + 256
RELEASED_VOCABULARY = '394fdc63c71aabe0a9b97117f5d62fb5fcc4d59b2b3ea929a3929e6a53217b3c'
"""SHA-256 of `vocab.json` in Microsoft's release, which `vocabulary_hash` gives for any form of these files."""


@TOKENIZERS.register_module()
class Florence2Tokenizer(BaseTokenizer):
    """BART's BPE with Florence-2's added tokens.

    `<s>` is 0, `<pad>` 1, `</s>` 2 in every vocabulary. The added tokens follow the vocabulary of files, and come before the
    learned tokens of a trained one.

    Args:
        vocabulary: Folder or file, see `florence2_vocabulary.load_vocabulary`; 'trained': none yet, it comes from `train` or
            from a checkpoint.
        context_length: Largest number of tokens of a prompt, and of a target, start and end included: the positions of the
            model.
        vocab_size: Of a trained vocabulary: upper bound, and the size the embedding is made for, new tokens not counted; at
            least 1,284.
        new_tokens: Further tokens of a user, which are found in texts as the added ones are; their ids follow all others. Weights
            that do not know them, or only the first of them, can be loaded.

    Raises:
        ValueError: If `vocab_size` is too small, or given with files, or a new token is empty or not new; see also
            `load_vocabulary`.
        FileNotFoundError: If there are no such files.
    """

    def __init__(
        self,
        vocabulary: str | Path,
        context_length: int = 1024,
        vocab_size: int | None = None,
        new_tokens: Sequence[str] = (),
    ) -> None:
        super().__init__(context_length)
        self._is_from_files = vocabulary != 'trained'
        if self._is_from_files and vocab_size is not None:
            raise ValueError("vocab_size belongs to vocabulary='trained': that of files follows from them")
        if not self._is_from_files and (vocab_size is None or vocab_size < SMALLEST_VOCAB):
            raise ValueError(
                f"vocabulary='trained' needs a vocab_size of at least {SMALLEST_VOCAB} (256 bytes, {len(CONTROLS)} control "
                f'tokens and {len(ADDED_TOKENS)} added tokens), got {vocab_size}'
            )
        self._vocab_size = vocab_size
        self.new_tokens = _checked_new(new_tokens)
        self._vocabulary: Vocabulary | None = None
        self._tokenizer: Tokenizer | None = None
        self._token_bytes: dict[int, bytes] = {}
        if self._is_from_files:
            self._use(load_vocabulary(vocabulary))

    @property
    def is_trained(self) -> bool:
        """Whether there is a vocabulary."""
        return self._tokenizer is not None

    @property
    def vocab_size(self) -> int:
        return self._num_without_new() + len(self.new_tokens)

    @property
    def pad_id(self) -> int:
        return PAD

    @property
    def sot_id(self) -> int:
        return START

    @property
    def eot_id(self) -> int:
        return END

    @property
    def mask_id(self) -> int | None:
        return self._vocabulary.ids.get(MASK) if self._vocabulary else None

    @property
    def special_ids(self) -> frozenset[int]:
        return super().special_ids | {UNKNOWN}

    def location_ids(self) -> Tensor:
        """Ids of `<loc_0>` to `<loc_999>`, `(1000,)`; they are known before a vocabulary is trained."""
        untrained = len(CONTROLS) + ADDED_TOKENS.index('<loc_0>')
        first = self._tokenizer.token_to_id('<loc_0>') if self._tokenizer else untrained
        return torch.arange(first, first + NUM_BINS)

    def new_ids(self) -> Tensor:
        """Ids of the new tokens, `(n,)`; they are known before a vocabulary is trained."""
        return torch.arange(self._num_without_new(), self.vocab_size)

    def vocabulary(self) -> dict[str, int]:
        return self._ready().get_vocab()

    def vocabulary_hash(self) -> str:
        """SHA-256 of the vocabulary without added tokens, in the form of the released `vocab.json`.

        Raises:
            ValueError: If there is no vocabulary yet.
        """
        self._ready()
        ids = dict(sorted(self._vocabulary.ids.items(), key=lambda entry: entry[1]))
        return hashlib.sha256(json.dumps(ids, indent=4, ensure_ascii=False).encode()).hexdigest()

    def check_released(self) -> None:
        """Check that token ids are those of Microsoft's weights.

        Raises:
            ValueError: If they are not.
        """
        if self.vocabulary_hash() != RELEASED_VOCABULARY:
            raise ValueError(
                'the released weights of Florence-2 need its own vocabulary, this tokenizer has another one: pass a folder with '
                'the tokenizer.json of the release, or with encoder.json, vocab.bpe and the dict.txt of fairseq as `vocabulary`'
            )

    def encode_targets(self, texts: Sequence[str], names: Sequence[str]) -> dict[str, Tensor]:
        """Tokenize what the decoder is to write; an empty target, such as that of an image without objects, is allowed.

        Args:
            texts: Targets.
            names: Name of each one's sample, for the error.

        Returns:
            `input_ids` and `attention_mask` as of a call.

        Raises:
            ValueError: If a target has a location token beyond `<loc_999>`, or more tokens than `context_length`: it is never
                cut, because the model would learn to stop there.
        """
        sequences = self._encode(texts)
        for name, text, ids in zip(names, texts, sequences, strict=True):
            check_locations(text, f'the target of sample {name!r}')
            if len(ids) > self.context_length:
                raise ValueError(
                    f'the target of sample {name!r} has {len(ids)} tokens, the decoder has {self.context_length} positions: cap '
                    'its regions or the points of its polygons (TargetOptions.max_regions, max_points), or use a model with more '
                    'positions'
                )
        return self._padded(sequences)

    def decode(self, ids: Iterable[int] | Tensor) -> str:
        return self.decode_with_spans(ids)[0]

    def decode_with_spans(self, ids: Iterable[int] | Tensor) -> tuple[str, list[tuple[int, int]]]:
        """Text of one sequence, and where each id stands in it.

        Args:
            ids: Of one sequence; control tokens, and ids without a token, take no room in the text.

        Returns:
            The text, and for each id its first character and the one after its last. Where several tokens make up one
            character, it is in the span of each.
        """
        special = self.special_ids
        self._token_bytes = self._token_bytes or bytes_of_tokens(self.vocabulary(), self.new_tokens)
        decoder = codecs.getincrementaldecoder('utf-8')('replace')
        text, spans = '', []
        for number in as_ids(ids):
            start = len(text)
            raw = b'' if number in special else self._token_bytes.get(number, b'')
            text += decoder.decode(raw)
            is_inside_character = bool(raw and decoder.getstate()[0])
            spans.append((start, len(text) + is_inside_character))
        return text + decoder.decode(b'', final=True), spans

    def train(self, texts: Iterable[str]) -> None:
        """Learn the vocabulary from texts, prompts and targets; added tokens in them are not learned from.

        Raises:
            ValueError: If there is a vocabulary already, or `texts` is empty.
        """
        if self.is_trained:
            raise ValueError('this Florence2Tokenizer has a vocabulary already: make a new one to train on other texts')
        texts = list(texts)
        if not texts:
            raise ValueError('Florence2Tokenizer.train got no text: pass the texts of the training set')
        tokenizer = Tokenizer(BPE())
        added = '|'.join([ADDED_TOKEN, *map(re.escape, self.new_tokens)])
        without_added = pre_tokenizers.Split(Regex(added), behavior='removed')
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([without_added, pre_tokenizers.ByteLevel(add_prefix_space=False)])
        trainer = trainers.BpeTrainer(
            vocab_size=self._vocab_size,
            special_tokens=[*CONTROLS, *ADDED_TOKENS],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        model = json.loads(tokenizer.to_str())['model']
        self._use(Vocabulary(model['vocab'], [tuple(merge) for merge in model['merges']]))

    def state(self) -> dict:
        if not self._is_from_files:
            return self.whole_state()
        known = {token: number for token, number in self.vocabulary().items() if token not in self.new_tokens}
        return dict(type=type(self).__name__, vocab_size=len(known), fingerprint=fingerprint(known), **self._new_state())

    def whole_state(self) -> dict:
        """The state of a tokenizer with vocabulary='trained' that is equal to this one, whose vocabulary may be from files."""
        vocabulary = self._vocabulary._asdict() if self._vocabulary else None
        return dict(type=type(self).__name__, vocab_size=self._num_without_new(), trained=vocabulary, **self._new_state())

    def _new_state(self) -> dict:
        return {'new_tokens': list(self.new_tokens)} if self.new_tokens else {}

    def load_state(self, state: dict) -> None:
        """Take over a trained vocabulary of a checkpoint, or check that it has the files of this tokenizer.

        Raises:
            ValueError: If the checkpoint was made with another tokenizer.
        """
        new = tuple(state.get('new_tokens', ()))
        if new != self.new_tokens[: len(new)]:
            raise ValueError(
                f'the checkpoint was trained with the new tokens {list(new)}, this tokenizer has {list(self.new_tokens)}: give '
                'it new_tokens that begin with those of the checkpoint'
            )
        state = {**state, 'new_tokens': list(self.new_tokens)} if self.new_tokens else state
        same_kind = {key: state.get(key) for key in ('type', 'vocab_size')} == dict(
            type=type(self).__name__, vocab_size=self._vocab_size
        )
        if self._is_from_files or not same_kind or 'trained' not in state:
            super().load_state(state)
        elif state['trained'] is not None:
            self._use(Vocabulary(state['trained']['ids'], [tuple(merge) for merge in state['trained']['merges']]))

    def _use(self, vocabulary: Vocabulary) -> None:
        self._word_tables = self._ordinary_ids = None
        self._token_bytes = {}
        self._vocabulary = vocabulary
        known = [token for token in self.new_tokens if token in vocabulary.ids or token in ADDED_TOKENS]
        if known:
            raise ValueError(f'new_tokens must be new, the vocabulary has {known[0]!r} already')
        new = dict(zip(self.new_tokens, self.new_ids().tolist(), strict=True))
        self._tokenizer = Tokenizer(BPE({**self._ids_without_new(), **new}, vocabulary.merges))
        self._tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        added = [AddedToken(token, normalized=False, special=True) for token in (*ADDED_TOKENS, *self.new_tokens)]
        self._tokenizer.add_special_tokens(added)

    def _ids_without_new(self) -> dict[str, int]:
        if self._vocabulary is None:
            self._ready()  # says what is missing
        assert self._vocabulary is not None
        first = len(self._vocabulary.ids)
        return {token: number for number, token in enumerate(ADDED_TOKENS, first)} | self._vocabulary.ids

    def _num_without_new(self) -> int:
        return self._vocab_size or len(self._ids_without_new())

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        encodings = self._ready().encode_batch_fast(list(texts), add_special_tokens=False)
        return [[START, *encoding.ids, END] for encoding in encodings]

    def _ready(self) -> Tokenizer:
        if self._tokenizer is None:
            raise ValueError('this Florence2Tokenizer has no vocabulary yet: call train(texts) or load a checkpoint')
        return self._tokenizer


def _checked_new(tokens: Sequence[str]) -> tuple[str, ...]:
    if isinstance(tokens, str) or not all(isinstance(token, str) and token and token == token.strip() for token in tokens):
        raise ValueError(f'new_tokens must be a list of texts that neither begin nor end with a space, got {tokens!r}')
    if len(set(tokens)) < len(tokens):
        raise ValueError(f'new_tokens must differ from each other, got {list(tokens)}')
    return tuple(tokens)
