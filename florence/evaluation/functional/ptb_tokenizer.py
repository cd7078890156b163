"""Tokens of captions as the official caption metrics see them, without Java.

The official code (tylin/coco-caption, pycocoevalcap) runs stanford-corenlp-3.4.1 with `-preserveLines -lowerCase` over all
captions, one a line, and drops some tokens of punctuation. This gives the same lines, oddities included: brackets stay (as
`-lrb-`: they are lower-cased before the comparison), and the caption that comes next matters where one ends in "no." or in a
single letter with a period.

Differs on purpose: a line break of another kind than `\\n` within a caption is a space here (there it shifts all later captions
by one), and letters that came to Unicode after 2012 are kept. A capital sigma before a hyphen becomes a final one.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from florence.evaluation.functional.ptb_rules import Rule, rules
from florence.evaluation.functional.ptb_words import BEFORE_ANYTHING, BEFORE_NAMES, BEFORE_NUMBERS, PARTED, PARTLY_SMALL

# As the official list has it; its names of brackets are capitals and so never match.
DROPPED = frozenset(["''", "'", '``', '`', '-LRB-', '-RRB-', '-LCB-', '-RCB-', '.', '?', '!', ',', ':', '-', '--', '...', ';'])

_LINE_BREAKS = str.maketrans(dict.fromkeys('\n\r\u2028\u2029\u000b\u000c', ' '))
_PLAIN = re.compile(r'([A-Za-z]{2,}(?:-[A-Za-z]+)*|[A-Za-z](?:-[A-Za-z]+)+)[.,;:!?]?|[A-Za-z]')
_SPECIAL = frozenset(f'{BEFORE_ANYTHING} {BEFORE_NAMES} {BEFORE_NUMBERS} {PARTLY_SMALL}'.lower().split()) | frozenset(
    parted.replace('-', '') for parted in PARTED.split()
)
_RARE_SPACE = re.compile(r'[^\S ]')
# What can make a piece belong together with the next one: a tag or a space of another kind, a number, three dots, a single letter
# or some abbreviations with a period; a piece with signs may end in such a token.
_WARY = re.compile(
    r'.*(?:<|[^\S ]).*|.*[\d)]|.*[^A-Za-z].*\.|\.|[A-Za-z]\.|(?i:{})\.'.format(BEFORE_NUMBERS.replace(' ', '|')), re.DOTALL
)


def ptb_tokenize(captions: Sequence[str]) -> list[str]:
    """Tokenize captions together, as the official code does with all references, and with all hypotheses.

    Args:
        captions: Raw captions.

    Returns:
        Of each caption its tokens, joined by spaces; empty if none is left. A token can hold a hard space ("1 1/2").
    """
    lines = [caption.translate(_LINE_BREAKS) for caption in captions]
    result = []
    for index, line in enumerate(lines):
        pieces = [*map(_known, line.split(' '))]
        if None in pieces or index + 1 == len(lines):
            result.append(_careful(line, _following(lines, index)))
        else:
            result.append(' '.join(filter(None, pieces)))
    return result


@lru_cache(maxsize=1 << 16)
def _known(piece: str) -> str | None:
    """Tokens of a piece between spaces; None where they may depend on the next piece."""
    plain = _PLAIN.fullmatch(piece)
    if plain and (plain[1] or plain[0]).lower() not in _SPECIAL:
        return (plain[1] or plain[0]).lower()
    return None if _WARY.fullmatch(piece) else _alone(piece)


@lru_cache(maxsize=1 << 16)
def _alone(piece: str) -> str:
    """Tokens of a piece that has nothing to do with the next one."""
    return _tokens(piece, '  ')


def _careful(line: str, following: str) -> str:
    """Tokens of a line with a piece that may depend on the next one; `following` is the text after the line."""
    pieces = line.split(' ')
    after = [*pieces[1:], following.lstrip()[:1]]
    if not following or any(_belongs_together(piece, nearest) for piece, nearest in zip(pieces, after)):
        return _tokens(line, following)
    return ' '.join(filter(None, map(_alone, pieces)))


def _belongs_together(piece: str, nearest: str) -> bool:
    """Whether two pieces may form one token, or the second may decide how the first is read; yes in doubt."""
    first = nearest[:1]
    if '<' in piece or first == '<' or _RARE_SPACE.search(piece):
        return True
    if not piece or piece[-1] not in '.)' and not piece[-1].isdecimal():
        return False
    return not first or first == '.' or first.isdecimal() or piece[-1] == '.' and first.isupper()


def _following(lines: list[str], index: int) -> str:
    """What comes after a line up to the end of the next one that is not blank; empty after the last line."""
    for last in range(index + 1, len(lines)):
        if lines[last].strip() or last + 1 == len(lines):
            # Nothing but the very last line ends without a line break.
            return '\n'.join(['', *lines[index + 1 : last + 1], *([''] if last + 1 < len(lines) else [])])
    return ''


def _tokens(line: str, following: str) -> str:
    # A hard space that ends an address falls away at the end of a line, as in the official code.
    text = ' '.join([token.lower() for token in _scan(line, following) if token]).rstrip()
    return ' '.join([token for token in text.split(' ') if token not in DROPPED])


def _scan(line: str, following: str) -> Iterator[str]:
    """All tokens of a line."""
    text, place = line + following, 0
    while place < len(line):
        match, rule = _longest(text, place)
        if match is None or rule is None:
            # Not a character of any token.
            place += 1
            continue
        yield rule.action(match[1])
        place = match.end(1)


def _longest(text: str, place: int) -> tuple[re.Match | None, Rule | None]:
    best, best_rule, end = None, None, place
    for rule in rules():
        for pattern in rule.patterns:
            match = pattern.match(text, place)
            if match and match.end() > end:
                best, best_rule, end = match, rule, match.end()
    return best, best_rule
