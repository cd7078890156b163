"""How often each run of one to four words occurs in each hypothesis and each reference; what BLEU and CIDEr are made of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class TextCounts:
    """Counts of the n-grams of one length in T texts, sorted by text and n-gram; P distinct pairs.

    Attributes:
        text: Index of the text, `(P,)`.
        gram: Index of the n-gram, `(P,)`.
        count: How often the text has it, `(P,)`.
    """

    text: np.ndarray
    gram: np.ndarray
    count: np.ndarray


@dataclass(frozen=True)
class NgramCounts:
    """Counts of the n-grams of one length; an index of an n-gram means the same in hypotheses and references.

    Attributes:
        hypotheses, references: Text i is the hypothesis of image i, or reference i.
        words: The words of each n-gram as indices, `(G, n)`.
    """

    hypotheses: TextCounts
    references: TextCounts
    words: np.ndarray

    def __len__(self) -> int:
        return len(self.words)


@dataclass(frozen=True)
class CaptionNgrams:
    """N-grams of N hypotheses and their M references.

    Attributes:
        orders: Those of one word, of two words, and so on.
        hypothesis_lengths: Words of each hypothesis, `(N,)`.
        reference_lengths: Words of each reference, `(M,)`.
        image_of_reference: `(M,)`, ascending.
        vocabulary: The words by their index.
    """

    orders: tuple[NgramCounts, ...]
    hypothesis_lengths: np.ndarray
    reference_lengths: np.ndarray
    image_of_reference: np.ndarray
    vocabulary: tuple[str, ...]

    @cached_property
    def first_reference(self) -> np.ndarray:
        """Index of the first reference of each image, `(N,)`."""
        return np.searchsorted(self.image_of_reference, np.arange(len(self.hypothesis_lengths)))

    def texts_of(self, counts: NgramCounts) -> Iterator[str]:
        """The n-grams as text, in the order of their index."""
        for words in counts.words.tolist():
            yield ' '.join([self.vocabulary[word] for word in words])


def caption_ngrams(hypotheses: Sequence[str], references: Sequence[Sequence[str]], *, max_order: int = 4) -> CaptionNgrams:
    """Count n-grams.

    Args:
        hypotheses: Tokens of one caption per image, joined by spaces.
        references: The same for all references of each image.
        max_order: Longest n-gram.

    Raises:
        ValueError: If there is no image, or one has no reference, or the numbers of both lists differ.
    """
    check_captions(hypotheses, references)
    texts = [*hypotheses, *(reference for own in references for reference in own)]
    lengths = np.array([len(text.split()) for text in texts])
    # One list of words, as many small ones cost more in garbage collection than splitting twice.
    words = ' '.join(texts).split()
    numbers = {word: number for number, word in enumerate(dict.fromkeys(words))}
    ids = np.array([*map(numbers.__getitem__, words)], dtype=np.int64)
    images = len(hypotheses)
    return CaptionNgrams(
        orders=tuple(_count(ids, lengths, len(numbers), images, max_order)),
        hypothesis_lengths=lengths[:images],
        reference_lengths=lengths[images:],
        image_of_reference=np.repeat(np.arange(images), [len(own) for own in references]),
        vocabulary=tuple(numbers),
    )


def _count(ids: np.ndarray, lengths: np.ndarray, num_words: int, images: int, max_order: int) -> Iterator[NgramCounts]:
    text = np.repeat(np.arange(len(lengths)), lengths)
    starts, gram = np.arange(len(ids)), ids
    words = np.arange(num_words)[:, None]  # (G, n)
    for order in range(1, max_order + 1):
        if order > 1:
            # A run of n words is a run of n - 1 words and the word after it, if that is of the same text.
            last = starts + order - 1
            inside = last < len(ids)
            inside[inside] = text[last[inside]] == text[starts[inside]]
            starts, gram = starts[inside], gram[inside]
            keys, gram = np.unique(gram * num_words + ids[starts + order - 1], return_inverse=True)
            words = np.concatenate([words[keys // max(num_words, 1)], (keys % max(num_words, 1))[:, None]], axis=1)
        pairs, count = count_sorted(text[starts] * max(len(words), 1) + gram)
        owner, member = np.divmod(pairs, max(len(words), 1))
        split = np.searchsorted(owner, images)
        yield NgramCounts(
            TextCounts(owner[:split], member[:split], count[:split]),
            TextCounts(owner[split:] - images, member[split:], count[split:]),
            words,
        )


def count_sorted(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct keys in order, and how often each occurs; several times faster than `np.unique` on whole numbers."""
    keys = np.sort(keys)
    first = np.flatnonzero(np.concatenate([keys[:1] == keys[:1], keys[1:] != keys[:-1]]))
    return keys[first], np.diff(first, append=len(keys))


def check_captions(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    """Refuse what cannot be scored.

    Raises:
        ValueError: If there is no image, or one has no reference, or the numbers of both lists differ.
    """
    if not hypotheses:
        raise ValueError('there is no caption to score.')
    if len(hypotheses) != len(references):
        raise ValueError(f'expected references for each of {len(hypotheses)} captions, got those of {len(references)} images.')
    without = [index for index, own in enumerate(references) if not own]
    if without:
        raise ValueError(f'{len(without)} images have no reference, first index {without[0]}: leave them out.')
