"""When two sets' names of a class mean the same word: case, joints, disambiguators and plurals aside."""

import re

# These end in -s and name one thing; without the ending they name another one, or nothing.
PLURAL_ONLY = {
    'binoculars', 'glasses', 'goggles', 'headphones', 'jeans', 'leggings', 'pajamas', 'pants', 'pliers', 'scissors', 'shears',
    'shorts', 'slacks', 'sunglasses', 'tights', 'tongs', 'trousers', 'tweezers',
}  # fmt: skip
IRREGULAR = {
    'children': 'child', 'feet': 'foot', 'geese': 'goose', 'kiwis': 'kiwi', 'knives': 'knife', 'leaves': 'leaf', 'loaves': 'loaf',
    'men': 'man', 'mice': 'mouse', 'shelves': 'shelf', 'skis': 'ski', 'taxis': 'taxi', 'teeth': 'tooth', 'wolves': 'wolf',
    'women': 'woman',
}  # fmt: skip

_PARENTHESES = re.compile(r'\s*\(([^)]*)\)')


def readable(name: str) -> str:
    """A name as words: `bow_(weapon)` is "bow (weapon)"."""
    return ' '.join(name.replace('_', ' ').split())


def word_key(name: str) -> str:
    """What is the same for all spellings of a name: `Hot-dog`, "hot dog" and `hotdog` are "hotdog"."""
    return re.sub(r'[^\w/]|_', '', name.casefold())


def base_key(name: str) -> str:
    """Key without what stands in parentheses: `bow_(weapon)` is "bow"."""
    return word_key(_PARENTHESES.sub('', name.replace('_', ' ')))


def singular_key(name: str) -> str:
    """Key of the singular, by the rules of English spelling: "tomatoes" is "tomato", "bus" stays "bus"."""
    words = _PARENTHESES.sub('', readable(name)).casefold().replace('-', ' ').split()
    return word_key(' '.join([*words[:-1], _singular(words[-1])])) if words else ''


def _singular(word: str) -> str:
    if word in IRREGULAR:
        return IRREGULAR[word]
    if word in PLURAL_ONLY or len(word) < 4 or not word.endswith('s') or word.endswith(('ss', 'us', 'is')):
        return word
    if word.endswith('ies') and len(word) > 4:
        return word[:-3] + 'y'
    if word.endswith(('ches', 'shes', 'xes', 'sses', 'oes')):
        return word[:-2]
    return word[:-1]


def alternatives(name: str) -> tuple[str, ...]:
    """Keys of the parts of a name such as `cabinet/shelf`; none where it has one part."""
    parts = name.split('/')
    return tuple(word_key(part) for part in parts) if len(parts) > 1 else ()
