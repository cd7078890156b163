"""Where words begin in a sequence of subwords, for the masking of whole words (BERT's release of May 2019).

The four ways of today's vocabularies: a blank before the first subword (byte-level BPE, SentencePiece), an end mark on the last
(CLIP), a mark on all but the first (WordPiece), no mark at all (a token is a word). What stands between two blanks is one word:
"dog." too.
"""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

BLANKS = ('\u0120', '\u2581')
WORD_END = '</w>'
CONTINUES = '##'


def word_tables(vocabulary: Mapping[str, int], vocab_size: int, special_ids: Collection[int]) -> tuple[Tensor, Tensor]:
    """Which tokens begin a word, and which are followed by one that does.

    The mark of the vocabulary is the one that most of its tokens bear.

    Args:
        vocabulary: Token -> id.
        vocab_size: Number of ids V.
        special_ids: Ids of tokens that are words of their own.

    Returns:
        Two `(V,)` bool tensors: begins a word; the next token begins one.
    """
    count = {
        BLANKS: sum(token.startswith(BLANKS) for token in vocabulary),
        WORD_END: sum(token.endswith(WORD_END) for token in vocabulary),
        CONTINUES: sum(token.startswith(CONTINUES) for token in vocabulary),
    }
    mark = max(count, key=lambda kind: count[kind])
    begins, ends = torch.zeros(2, vocab_size, dtype=torch.bool)
    for token, number in vocabulary.items():
        if count[mark] == 0:
            begins[number] = True
        elif mark == WORD_END:
            ends[number] = token.endswith(WORD_END)
        else:
            begins[number] = token.startswith(BLANKS) if mark == BLANKS else not token.startswith(CONTINUES)
    special = torch.tensor(sorted(special_ids), dtype=torch.int64)
    begins[special] = True
    ends[special] = True
    return begins, ends
