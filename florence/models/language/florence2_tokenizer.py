"""Florence-2's tokenizer (arXiv 2311.06242): BART's byte-level BPE and 1,024 added tokens, 51,289 in all with the released files.

Case and white space are kept, so `decode` gives every text back. The added tokens, location tokens among them, are found in texts
and stay in decoded ones, because prompts and answers are written with them. Differs from the released tokenizer: a text that
spells a control token (`<s>`, `</s>`, `<pad>`, `<unk>`, `<mask>`) is ordinary text, so that no caption can end itself early.
"""

import codecs
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import AddedToken, Regex, Tokenizer, pre_tokenizers, trainers
from tokenizers.models import BPE
from torch import Tensor

from florence.models.language.base_tokenizer import BaseTokenizer, as_ids
from florence.models.language.clip_vocabulary import byte_symbols
from florence.models.language.florence2_vocabulary import CONTROLS, MASK, Vocabulary, load_vocabulary
from florence.registry import TOKENIZERS
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
        vocab_size: Of a trained vocabulary: upper bound, and the size the embedding is made for; at least 1,284.

    Raises:
        ValueError: If `vocab_size` is too small, or given with files; see also `load_vocabulary`.
        FileNotFoundError: If there are no such files.
    """

    def __init__(self, vocabulary: str | Path, context_length: int = 1024, vocab_size: int | None = None) -> None:
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
        return self._vocab_size or self._ready().get_vocab_size()

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
            ValueError: If a target has more tokens than `context_length`: it is never cut, because the model would learn to stop
                there.
        """
        sequences = self._encode(texts)
        for name, ids in zip(names, sequences, strict=True):
            if len(ids) > self.context_length:
                raise ValueError(
                    f'the target of sample {name!r} has {len(ids)} tokens, the decoder has {self.context_length} positions: cap '
                    'its regions (TargetOptions.max_regions), or use a model with more positions'
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
        self._token_bytes = self._token_bytes or _bytes_of_tokens(self.vocabulary())
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
        without_added = pre_tokenizers.Split(Regex(ADDED_TOKEN), behavior='removed')
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
        return super().state() if self._is_from_files else self.whole_state()

    def whole_state(self) -> dict:
        """The state of a tokenizer with vocabulary='trained' that is equal to this one, whose vocabulary may be from files."""
        vocabulary = self._vocabulary._asdict() if self._vocabulary else None
        return dict(type=type(self).__name__, vocab_size=self.vocab_size, trained=vocabulary)

    def load_state(self, state: dict) -> None:
        """Take over a trained vocabulary of a checkpoint, or check that it has the files of this tokenizer.

        Raises:
            ValueError: If the checkpoint was made with another tokenizer.
        """
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
        self._tokenizer = Tokenizer(BPE(vocabulary.ids, vocabulary.merges))
        self._tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        self._tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in ADDED_TOKENS])

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        encodings = self._ready().encode_batch_fast(list(texts), add_special_tokens=False)
        return [[START, *encoding.ids, END] for encoding in encodings]

    def _ready(self) -> Tokenizer:
        if self._tokenizer is None:
            raise ValueError('this Florence2Tokenizer has no vocabulary yet: call train(texts) or load a checkpoint')
        return self._tokenizer


def _bytes_of_tokens(vocabulary: dict[str, int]) -> dict[int, bytes]:
    """Id -> bytes; every byte has a printable stand-in, which is itself where it is printable."""
    symbols = byte_symbols()
    printable = [ord(symbol) for symbol in symbols if ord(symbol) < 256]
    table = dict(zip(symbols, [*printable, *sorted(set(range(256)) - set(printable))], strict=True))
    return {number: bytes(table[symbol] for symbol in token) for token, number in vocabulary.items()}
