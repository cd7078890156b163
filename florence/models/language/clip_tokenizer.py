"""CLIP's tokenizer (arXiv 2103.00020): lower-cased byte-pair encoding with 49,408 tokens.

Runs on the Rust library `tokenizers`. Text is cleaned as OpenAI's code does: `ftfy` mends broken encodings
("Ã©" -> "é"), HTML entities are resolved twice ("&amp;lt;" -> "<"), white space collapses, case is lowered.
`ftfy` is required, because leaving that step out would change ids without a word.

Differs from OpenAI's code: a text that spells a special token ("<end_of_text>") is encoded as ordinary text,
so that no caption can end itself early; the mask marks padding, which keeps CLIP's id 0.
"""

import html
from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from torch import Tensor

from florence.models.language.base_tokenizer import BaseTokenizer, as_ids
from florence.models.language.clip_vocabulary import (
    END,
    START,
    WORD_END,
    byte_symbols,
    load_merges,
    vocabulary_of,
)
from florence.registry import TOKENIZERS

WORD_PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


@TOKENIZERS.register_module()
class CLIPTokenizer(BaseTokenizer):
    """CLIP's BPE.

    Args:
        context_length: Largest number of tokens, start and end included: 76 in Florence's paper, 77 in CLIP's
            code.
        vocab_file: See `clip_vocabulary.load_merges`; None finds the vocabulary in open_clip or on the hub.

    Raises:
        FileNotFoundError: If there is no vocabulary.
        ValueError: If the file is not CLIP's vocabulary.
        ImportError: If `ftfy` is not installed.
    """

    def __init__(self, context_length: int = 76, vocab_file: str | Path | None = None) -> None:
        super().__init__(context_length)
        merges = load_merges(vocab_file)
        self._vocabulary = vocabulary_of(merges, byte_symbols())
        self._tokenizer = Tokenizer(BPE(self._vocabulary, merges, end_of_word_suffix=WORD_END))
        split = pre_tokenizers.Split(Regex(WORD_PATTERN), behavior='removed', invert=True)
        to_symbols = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        self._tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, to_symbols])
        self._tokenizer.decoder = decoders.ByteLevel()
        clean('')  # a missing ftfy is better said now than in the first iteration

    @property
    def vocab_size(self) -> int:
        return len(self._vocabulary)

    @property
    def pad_id(self) -> int:
        return 0

    @property
    def sot_id(self) -> int:
        return self._vocabulary[START]

    @property
    def eot_id(self) -> int:
        return self._vocabulary[END]

    @property
    def special_ids(self) -> frozenset[int]:
        return frozenset({self.sot_id, self.eot_id})  # CLIP pads with an ordinary token

    def vocabulary(self) -> dict[str, int]:
        return dict(self._vocabulary)

    def decode(self, ids: Iterable[int] | Tensor) -> str:
        text = self._tokenizer.decode([i for i in as_ids(ids) if i not in (self.sot_id, self.eot_id)])
        return text.replace(WORD_END, ' ').strip()

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        encodings = self._tokenizer.encode_batch_fast([clean(text) for text in texts], add_special_tokens=False)
        return [[self.sot_id, *encoding.ids, self.eot_id] for encoding in encodings]


def clean(text: str) -> str:
    """Text as CLIP sees it: mended, entities resolved, white space collapsed, lower case."""
    try:
        import ftfy
    except ImportError as error:
        raise ImportError('CLIPTokenizer needs ftfy to clean texts: pip install ftfy') from error

    text = html.unescape(html.unescape(ftfy.fix_text(text)))
    return ' '.join(text.split()).lower()
