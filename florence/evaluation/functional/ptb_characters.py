"""Character classes of the Penn Treebank tokenizer: what is a letter, a digit, a space, a sign that stands alone.

The ranges were read off the answers of stanford-corenlp-3.4.1 to every code point of the basic plane. It knows no code point
beyond that plane (emoji): those it drops, and so do we. Letters that came to Unicode after 2012 are letters here, there they are
dropped.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import groupby

SPACE = ' \\t\u00a0\u2000-\u200a\u3000'
NEWLINE = '\\r\\n\u2028\u2029\u000b\u000c\u0085'
HYPHEN = '\\-_\u058a\u2010\u2011'
SOFT_HYPHEN = '\u00ad'

# Marks that the tokenizer takes for letters though Unicode does not call them so; bridged over the letters between them.
MARKS = (
    'ad 2c2-379 384-385 3f6 483-487 55a-55f 591-5bd 5bf 5c1-5c2 5c4-5c5 5c7 615-61a 64b-65e 670 6d6-6ed 6fd-6fe 70f-7b0 7eb-7f3 '
    '900-903 93c-94e 951-955 962-963 981-983 9bc-9c4 9c7-9c8 9cb-9cd 9d7 9e2-9e3 a01-a03 a3c a3e-a4f a81-a83 abc-acf b82 '
    'bbe-bc2 bc6-bc8 bca-bcd c01-c03 c3e-c56 d3e-d44 d46-d48 e31-e3a e47-e4e eb1-ebc ec8-ecd 1885-1886'
)
# Neither letter nor digit nor quote nor bracket nor dash: each is a token of its own.
SIGNS = (
    '21 23-27 2a-2c 2e-2f 3a-3f 5c 5e 60 7c 7e a1 a5-a9 ac ae-b9 bf-f7 37e 387 589 5be 5c0 5c3 5c6 5f3-5f4 600-603 606-60c 614 '
    '61b 61e-61f 66a 66d 6d4 700-70d 7f6-7f8 964-965 e3f e4f 1fbd 2016-2017 201a 201e-2023 2030-2038 203b 203e-2042 2044 2070 '
    '2074-208e 20a4 2100-214f 2155-215e 2190-2bff 3001-3002 3012 30fb ff01-ff0f ff1a-ff65 ffe0-ffe1 ffe5-ffe6'
)


def _ranges(text: str) -> str:
    """Hexadecimal ranges as the inside of a character class."""
    pairs = (part.partition('-')[::2] for part in text.split())
    return ''.join(f'{re.escape(chr(int(low, 16)))}-{re.escape(chr(int(high or low, 16)))}' for low, high in pairs)


def _class_of(belongs: Callable[[str], bool]) -> str:
    """Non-ASCII characters of the basic plane as the inside of a character class."""
    characters = filter(belongs, map(chr, range(128, 0x10000)))
    runs = groupby(enumerate(characters), key=lambda pair: ord(pair[1]) - pair[0])
    ends = ([character for _, character in run] for _, run in runs)
    return ''.join(f'{run[0]}-{run[-1]}' for run in ends)


@lru_cache(maxsize=1)
def alphabets() -> tuple[str, str, str]:
    """Insides of the classes of plain letters, of letters with marks, and of digits; made on first use, milliseconds."""
    plain = 'A-Za-z' + _class_of(str.isalpha)
    return plain, plain + _ranges(MARKS), '0-9' + _class_of(str.isdecimal)


def signs() -> str:
    """Inside of the class of signs that stand alone."""
    return _ranges(SIGNS)
