"""CIDEr-D of captions, as the official code computes it (Vedantam et al., arXiv 1411.5726, section 5; tylin/coco-caption).

Cosine of tf-idf vectors of n-grams, counts clipped to the reference's, times a Gaussian of the difference in length, mean over
the references and over n = 1..4, times 10. An n-gram's document frequency is the number of images with it in a reference, at
least 1.

With the idf of the scored images themselves a single image scores 0, as log(1 image) = 0; `DocumentFrequency` brings the idf of
another corpus. The official code takes the number of word pairs for the length of a text, one less than that of words: their
difference is the same, but where one text is empty, and there the score is 0.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from florence.atomic_files import atomic_path
from florence.evaluation.functional.ngram_counts import CaptionNgrams, NgramCounts, caption_ngrams, count_sorted

SIGMA = 6.0


@dataclass(frozen=True)
class DocumentFrequency:
    """In how many images of a corpus each n-gram occurs.

    Attributes:
        num_images: Images of the corpus, at least 1.
        counts: Images with the n-gram, by its words joined with spaces; an n-gram that is not listed counts as 1.
    """

    num_images: int
    counts: Mapping[str, float]

    @classmethod
    def of(cls, references: Sequence[Sequence[str]]) -> 'DocumentFrequency':
        """Count the n-grams of tokenized references, by image."""
        ngrams = caption_ngrams([''] * len(references), references)
        counts: Counter[str] = Counter()
        for order in ngrams.orders:
            counts.update(dict(zip(ngrams.texts_of(order), _images_with(order, ngrams).tolist())))
        return cls(len(references), counts)

    @classmethod
    def read(cls, path: str | Path) -> 'DocumentFrequency':
        """Read what `write` wrote.

        Raises:
            FileNotFoundError: If the file is missing.
            ValueError: If it is of another form.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f'no file of document frequencies {path}: check the path.')
        try:
            content = json.loads(path.read_bytes())
            num_images, counts = int(content['num_images']), dict(content['counts'])
            valid = num_images >= 1 and all(0 <= count <= num_images for count in counts.values())
        except (ValueError, KeyError, TypeError):
            valid = False
        if not valid:
            raise ValueError(
                f'{path} is no file of document frequencies: expected {{"num_images": N, "counts": {{"a man": 12, ...}}}} with '
                'counts of 0 to N.'
            )
        return cls(num_images, counts)

    def write(self, path: str | Path) -> None:
        """Write JSON, whole or not at all."""
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps({'num_images': self.num_images, 'counts': dict(self.counts)}, ensure_ascii=False))


def cider_d(ngrams: CaptionNgrams, document_frequency: DocumentFrequency | None = None) -> np.ndarray:
    """CIDEr-D of each image, on the official scale of 0 to 10, `(N,)`; that of a corpus is the mean.

    Args:
        ngrams: Of hypotheses and references.
        document_frequency: Of another corpus; None counts the references themselves.
    """
    images = len(ngrams.hypothesis_lengths)
    log_images = math.log(document_frequency.num_images if document_frequency else images)
    of_reference = np.zeros(len(ngrams.reference_lengths))
    for counts in ngrams.orders:
        frequency = _frequency(counts, ngrams, document_frequency)
        of_reference += _cosines(counts, ngrams, log_images - np.log(np.maximum(frequency, 1)))
    delta = ngrams.hypothesis_lengths[ngrams.image_of_reference] - ngrams.reference_lengths
    of_reference *= np.exp(-(delta**2) / (2 * SIGMA**2))
    num_references = np.bincount(ngrams.image_of_reference, minlength=images)
    total = _sums(ngrams.image_of_reference, of_reference, images)
    return 10 * total / len(ngrams.orders) / num_references


def _cosines(counts: NgramCounts, ngrams: CaptionNgrams, idf: np.ndarray) -> np.ndarray:
    """Clipped cosine of each reference with its hypothesis, `(M,)`; 0 where one has no weight."""
    hypotheses, references = counts.hypotheses, counts.references
    own = hypotheses.count * idf[hypotheses.gram]
    weight = references.count * idf[references.gram]
    image = ngrams.image_of_reference[references.text]
    product = np.zeros(len(ngrams.reference_lengths))
    if len(own):
        keys = hypotheses.text * len(counts) + hypotheses.gram
        wanted = image * len(counts) + references.gram
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        shared = np.where(keys[place] == wanted, np.minimum(own[place], weight) * weight, 0)
        product = _sums(references.text, shared, len(product))
    norm = np.sqrt(_sums(references.text, weight**2, len(product)))
    norm *= np.sqrt(_sums(hypotheses.text, own**2, len(ngrams.hypothesis_lengths)))[ngrams.image_of_reference]
    return np.divide(product, norm, out=np.zeros_like(product), where=norm > 0)


def _sums(owner: np.ndarray, values: np.ndarray, length: int) -> np.ndarray:
    # As float64 also where there is nothing to sum, for which bincount gives whole numbers.
    return np.bincount(owner, values, minlength=length).astype(np.float64)


def _frequency(counts: NgramCounts, ngrams: CaptionNgrams, given: DocumentFrequency | None) -> np.ndarray:
    """Images with each n-gram, `(G,)`."""
    if given is None:
        return _images_with(counts, ngrams)
    return np.array([given.counts.get(text, 0) for text in ngrams.texts_of(counts)], dtype=np.float64)


def _images_with(counts: NgramCounts, ngrams: CaptionNgrams) -> np.ndarray:
    """Images with each n-gram in a reference, `(G,)`."""
    pairs, _ = count_sorted(ngrams.image_of_reference[counts.references.text] * max(len(counts), 1) + counts.references.gram)
    return np.bincount(pairs % max(len(counts), 1), minlength=len(counts))
