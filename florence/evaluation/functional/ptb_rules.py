"""Rules of the Penn Treebank tokenizer: patterns of tokens and of what must follow them.

At every place the rule with the longest match wins, what follows included; among equals the first. The rules say what
stanford-corenlp-3.4.1 does with `-preserveLines`; those that differ only in tokens that caption metrics drop (kinds of quotes, of
dots, of dashes) are merged. They were compared with that program's answers, see `tests/golden/ptb_tokens.json`.

In the patterns `~name~` stands for an entry of `MACROS`. Group 1 is the token, what comes after it must follow.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from florence.evaluation.functional import ptb_words as words
from florence.evaluation.functional.ptb_characters import HYPHEN, NEWLINE, SOFT_HYPHEN, SPACE, alphabets, signs

QUOTES = str.maketrans({
    **dict.fromkeys('\u0091\u2018\u201b\u2039', '`'), **dict.fromkeys('\u0092\u2019\u203a', "'"),
    **dict.fromkeys('\u0093\u201c\u00ab', '``'), **dict.fromkeys('\u0094\u201d\u00bb"', "''"),
})  # fmt: skip
AMOUNTS = str.maketrans({
    '\u00a2': 'cents', '\u00a3': '#', **dict.fromkeys('\u0080\u00a4\u20a0\u20ac', '$'),
    '\u00bc': '1/4', '\u00bd': '1/2', '\u00be': '3/4', '\u2153': '1/3', '\u2154': '2/3',
})  # fmt: skip
# A space within a token becomes a hard one. Within a smiley or a telephone number brackets are named, too.
PARENTHESES = str.maketrans({'(': '-LRB-', ')': '-RRB-', ' ': '\u00a0'})
BRACKETS = str.maketrans({'(': '-LRB-', ')': '-RRB-', '{': '-LCB-', '}': '-RCB-', '[': '-LSB-', ']': '-RSB-'})

Action = Callable[[str], str]


def as_it_is(text: str) -> str:
    """The token is the text."""
    return text


def visible(text: str) -> str:
    """The text without its soft hyphens; one that consists of them is a hyphen."""
    return text.replace(SOFT_HYPHEN, '') or '-'


def plain_quotes(text: str) -> str:
    """Quotes as the treebank writes them."""
    return re.sub('(?i:&apos;)', "'", re.sub('(?i:&quot;)', "''", text)).translate(QUOTES)


def plain_ampersand(text: str) -> str:
    """Without the entity of the ampersand."""
    return re.sub('(?i:&amp;)', '&', text)


def hard_spaces(text: str) -> str:
    """Spaces within the token become hard ones."""
    return text.replace(' ', '\u00a0')


def dashes(text: str) -> str:
    """Three or four hyphens are a dash."""
    return '--' if len(text) in (3, 4) else text


def _any_case(text: str) -> str:
    """Alternatives from a list of words, case as `ptb_words` defines it; longer ones first, as the longest shall win."""
    return '|'.join(
        f'[{word[0]}](?i:{re.escape(word[1:])})' if word[0].isupper() else f'(?i:{re.escape(word)})'
        for word in sorted(text.split(), key=len, reverse=True)
    )


MACRO = '~([a-z]+)~'
MACROS = {
    'space': f'[{SPACE}]',
    'break': f'[{SPACE}{NEWLINE}]',
    'pause': '[,;:\u3001]',
    'hyphen': f'[{HYPHEN}]',
    'apos': "(?:['\u0092\u2019]|(?i:&apos;))",
    'anyapos': "(?:['\u0092\u2019`\u0091\u2018\u201b]|(?i:&apos;))",
    'clitic': '~apos~(?:[msdMSD]|(?i:re|ve|ll))',
    'not': '(?i:n)~anyapos~(?i:t)',
    'word': '~letter~~after~(?:[.!?]~letter~~after~)*',
    'after': '(?:[~marked~~digit~]|~entity~)*',
    'letter': '(?:[~marked~]|~entity~)',
    'entity': '&[aeiouAEIOU](?i:acute|grave|uml);',
    'amp': '(?i:&amp;)',
    # Two abbreviations have a letter that must be small.
    'anything': f'(?:{_any_case(words.BEFORE_ANYTHING)}|(?i:pp?t)[ye](?i:s)?)',
    'acronyms': _any_case(words.HYPHENED_ACRONYMS),
    'acro': '(?:~acronyms~|[A-Za-z](?:\\.[A-Za-z])*)',
    'hyphened': '[A-Za-z0-9][A-Za-z0-9.,\u00ad]*(?:-(?:[A-Za-z](?:\\.[A-Za-z])+\\.|[A-Za-z0-9\u00ad]+))+',
    'elision': '(?:[dDoOlL]~anyapos~[~plain~])?',
    'thing': '~elision~[~plain~]+(?:~hyphen~~elision~[~plain~]+)*',
    'initials': '[A-Z]+(?:(?:~amp~|[+&])[A-Z]+)+',
    'number': '(?:[~digit~]*(?:[.:,\u00ad\u066b\u066c][~digit~]+)+|[~digit~]+)',
    'slash': '(?:\\\\?/|\u2044)',
    'gap': '[- \u00a0]',
    'part': '[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}',
    # An SGML tag; a quoted value may not leave the line here.
    'name': '[A-Za-z][A-Za-z0-9_:.\\-]*',
    'value': '(?:\'[^\'\n]*\'|"[^"\n]*")',
    'tag': '<(?:[!?][A-Za-z\\-][^>\r\n]*|~name~(?: +(?:~name~ *= *~value~|~name~))* */?|/~name~) *>',
    # Of addresses. Official quirk: in `domain` a hyphen that is not escaped excludes capitals, digits and signs.
    'urlchar': '[^ \t\n\f\r"<>|(){}]',
    'urlend': '[^ \t\n\f\r"<>|.!?(){},\\-]',
    'path': '(?:/[^ \t\n\f\r"<>|()]+~urlend~)?',
    'domain': '[^ \t\n\f\r"`\'<>|!?(){},-_$]',
    'mail': '[^ \t\n\f\r"<>|()\u00a0{}]*@(?:[^ \t\n\f\r"<>|(){}.\u00a0]+\\.)*[^ \t\n\f\r"<>|(){}.\u00a0]+',
    'quotes': '[`\u2018-\u201f\u0091-\u0094\u2039\u203a\u00ab\u00bb]',
}

WORDS = [
    (as_it_is, ['((?i:c)[+][+])', '((?i:c|f)#)']),
    (as_it_is, ['((?i:{}))(?i:{})'.format(*parted.split('-')) for parted in words.PARTED.split()]),
    (hard_spaces, ['(~tag~)']),
    (lambda text: '--', ['((?i:&(?:md|mdash|ndash);))', '([\u0096\u0097\u2013-\u2015])']),
    (plain_ampersand, ['(~amp~)']),
    (lambda text: '', ['((?i:&nbsp;))']),
    (as_it_is, ['((?i:&(?:ht|tl|ur|lr|qc|ql|qr|odq|cdq|#[0-9]+);))']),
    (visible, ['(~word~)~clitic~']),
    (visible, ['([A-Za-z\u00ad]*[A-MO-Za-mo-z]\u00ad*)~not~']),
    (visible, ['(~word~)']),
    (as_it_is, [
        '(~apos~(?i:n)~apos~?)', '([lLdDjJ]~apos~)', '((?i:dunkin|somethin|ol)~apos~)', '(~apos~(?i:em|till?|cause))',
        '([A-HJ-XZn]~anyapos~[~alpha~]{2,})', '(~apos~[2-9]0(?i:s))', '((?i:o)~anyapos~(?i:o))',
        '([~alpha~]+[aeiouyAEIOUY]~anyapos~[aeiouA-Z][~alpha~]*)', "((?i:cont'd)\\.?)",
        "((?i:'twas|nor'easter|c'mon|e'er|s'mores|ev'ry|li'l|nat'l))", '((?i:y)~apos~)[~alpha~]',
    ]),
]  # fmt: skip
ADDRESSES = [
    (as_it_is, [
        '((?i:https?://)~urlchar~+~urlend~)',
        '((?i:www\\.)(?:[^ \t\n\f\r"<>|.!?(){},]+\\.)+[a-zA-Z]{2,4}~path~)',
        '((?:~domain~+\\.)+(?i:com|net|org|edu)~path~)',
        '((?:(?i:&lt;)|<)?[a-zA-Z0-9]~mail~(?:(?i:&gt;)|>)?)',
        '(@[a-zA-Z_][a-zA-Z_0-9]*)', '(#~letter~+)',
    ]),
    (plain_quotes, ['(~clitic~)[^A-Za-z]', '(~not~)[^A-Za-z]']),
]  # fmt: skip
NUMBERS = [
    (as_it_is, ['([~digit~]{1,2}[\\-/][~digit~]{1,2}[\\-/][~digit~]{2,4})']),
    (visible, ['([\\-+]?~number~)']),
    (as_it_is, ['([\u207a\u207b\u208a\u208b]?(?:[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+|[\u2080-\u2089]+))']),
    (hard_spaces, ['((?:[~digit~]{1,4}[- \u00a0])?[~digit~]{1,4}~slash~[~digit~]{1,4})']),
    (plain_ampersand, [
        '(-(?i:rrb|lrb|rcb|lcb|rsb|lsb)-)', '((?i:c\\.d\\.s|pro-|anti-|s(?:&amp;|&)p-500|s(?:&amp;|&)ls))',
        "((?i:cap)~apos~(?i:n))", "((?i:c)~apos~(?i:est))",
    ]),
    (as_it_is, ['(~part~(?:\\\\?/~part~){1,2})', '([A-Z]*\\$)']),
    (lambda text: text.translate(AMOUNTS), ['([\u00a2-\u00a4\u0080\u20a0\u20ac\u00bc-\u00be\u2153\u2154])']),
    (lambda text: text.translate(PARENTHESES), [
        '((?:\\([0-9]{2,3}\\)[ \u00a0]?|(?:\\+\\+?)?(?:[0-9]{2,4}~gap~)?[0-9]{2,4}~gap~)[0-9]{3,4}~gap~?[0-9]{3,5})',
        '((?:(?:\\+\\+?)?[0-9]{2,4}\\.)?[0-9]{2,4}\\.[0-9]{3,4}\\.[0-9]{3,5})',
    ]),
]  # fmt: skip
ABBREVIATIONS = [
    (as_it_is, [f'([A-Za-z])\\.~break~+(?:{_any_case(words.SENTENCE_STARTS)}|~tag~)~break~']),
    (as_it_is, [f'((?:{_any_case(words.BEFORE_NUMBERS)})\\.)~break~?[~digit~]']),
    (as_it_is, ['((?i:pt[ey]|co)\\.)~space~(?i:ltd|lim)', '(~anything~\\.)[\\s\\S]{2}']),
    (as_it_is, ['(~anything~\\.)', f'((?:{_any_case(words.BEFORE_NAMES)}|(?i:m)[ft](?i:g))\\.)', '(~acro~\\.)']),
    (as_it_is, ['(~acro~)~break~', '(~apos~[0-9][0-9])~break~']),
    (as_it_is, [f'([~marked~~digit~]+(?:\\.[~marked~~digit~]+)*\\.(?:{_any_case(words.FILE_ENDINGS)}))(?:~break~|[.?!,])']),
    (visible, ['(~word~\\.)~pause~']),
]  # fmt: skip
SYMBOLS = [
    (plain_quotes, ['("|(?i:&quot;))']),
    (lambda text: '<', ['((?i:&lt;))']), (lambda text: '>', ['((?i:&gt;))']),
    (lambda text: text.translate(PARENTHESES), [
        "([<>]?[:;=][\\-o*']?[()DPdpO\\\\{@|\\[\\]])[^A-Za-z0-9]", "([\\-^x=\\x7e<>']_[\\-^x=\\x7e<>'])",
        "(\\([\\-^x=\\x7e<>'][_.]?[\\-^x=\\x7e<>']\\))", "(\\([\\^x=\\x7e<>']-[\\^x=\\x7e<>'`]\\))",
    ]),
    (lambda text: text.translate(BRACKETS), ['([(){}\\[\\]])']),
    (dashes, ['(-+)']),
    (lambda text: '...', ['(\\.{3,5})', '((?:\\.[ \u00a0]){2,4}\\.)', '([\u0085\u2026])']),
    (as_it_is, ['(@+)', '(#+)', '(_+)', '(\\*+)', '((?:\\\\\\*){1,3})', '([?!]+)']),
]  # fmt: skip
COMPOUNDS = [
    (visible, ['(~hyphened~\\.)~pause~', '(~hyphened~)']),
    (as_it_is, ['(~thing~\\.)~pause~', '(~thing~)']),
    (plain_ampersand, ['(~initials~\\.)~pause~', '(~initials~)']),
    (plain_quotes, ["(')[A-Za-z][^ \t\n\r\u00a0]", '(~clitic~|~not~)', "(~quotes~{1,2}|''|~apos~)"]),
    (as_it_is, ['(<<|>>)', '([~sign~])']),
    (lambda text: '', ['(~space~+)']),
]  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """Patterns with one action.

    Attributes:
        patterns: Group 1 is the token, the rest must follow; the longest match counts.
        action: From the matched text to the token.
    """

    patterns: tuple[re.Pattern, ...]
    action: Action


def _expand(pattern: str) -> str:
    while re.search(MACRO, pattern):
        pattern = re.sub(MACRO, lambda name: _macros()[name[1]], pattern)
    return pattern


@lru_cache(maxsize=1)
def _macros() -> dict[str, str]:
    letter, marked, digit = alphabets()
    return {**MACROS, 'alpha': letter, 'marked': marked, 'digit': digit, 'plain': letter + digit, 'sign': signs()}


@lru_cache(maxsize=1)
def rules() -> tuple[Rule, ...]:
    """All rules in their order; compiled on first use."""
    return tuple(
        Rule(tuple(re.compile(_expand(pattern)) for pattern in patterns), action)
        for action, patterns in (*WORDS, *ADDRESSES, *NUMBERS, *ABBREVIATIONS, *SYMBOLS, *COMPOUNDS)
    )
