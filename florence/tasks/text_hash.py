"""Label of a description: a hash of its text, equal in every process and on every machine.

Florence (arXiv 2111.11432, section 2.2) gives each unique description an index through a text hash table; all
images of one description are positives of each other. No table is needed here: the label is the first 63 bits
of blake2b, so ranks agree without talking. 63 bits keep 900 million distinct texts apart (0.04 expected
collisions; 32 bits would give 94 million), and fit a non-negative int64. Python's own `hash` is salted per
process and cannot serve.

The text is hashed BEFORE a template expands it: otherwise two images of "dog" with different templates would
become negatives of each other.
"""

import hashlib

UNLABELLED = -1
"""Label of a pair without identity: it matches only itself. No hash is negative."""

NORMALIZATIONS = ('none', 'strip', 'casefold')

_MASK_63_BITS = (1 << 63) - 1


def normalize_text(text: str, normalize: str = 'none') -> str:
    """Form of a text that decides its identity.

    Args:
        text: The canonical description.
        normalize: `'none'`: only identical strings are equal, as in the paper; `'strip'`: white space at both
            ends does not count; `'casefold'`: neither does case.

    Raises:
        ValueError: If `normalize` is none of these.
    """
    if normalize == 'none':
        return text
    if normalize == 'strip':
        return text.strip()
    if normalize == 'casefold':
        return text.strip().casefold()
    raise ValueError(f'normalize must be one of {", ".join(NORMALIZATIONS)}, not {normalize!r}')


def text_label(text: str, normalize: str = 'none') -> int:
    """Label of a description, in `[0, 2**63)`; the same in every process.

    Args:
        text: The canonical description, before any template.
        normalize: See `normalize_text`.

    Raises:
        ValueError: If `normalize` is unknown.
    """
    digest = hashlib.blake2b(normalize_text(text, normalize).encode('utf-8'), digest_size=8).digest()
    return int.from_bytes(digest, 'big') & _MASK_63_BITS
