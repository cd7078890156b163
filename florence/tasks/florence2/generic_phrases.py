"""Noun phrases that name nothing one could draw a box around: what `ParserOptions.banned_phrases` is for.

The release of Florence-2 (arXiv 2311.06242) leaves such phrases out of groundings; this list is ours: pronouns, the picture
itself and its places, and bare amounts.
"""

_PRONOUNS = (
    'i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself she her hers herself '
    'it its itself they them their theirs themselves this that these those who whom whose which what someone something '
    'somebody anyone anything anybody everyone everything everybody nobody nothing one ones another others each both all some any'
)
_PLACES = ('background', 'foreground', 'middle', 'center', 'top', 'bottom', 'left', 'right', 'side', 'front', 'back', 'distance')
_PICTURES = ('image', 'picture', 'photo', 'photograph', 'scene', 'view')
_AMOUNTS = ('group', 'lot', 'pair', 'bunch', 'set', 'number', 'couple', 'variety', 'kind', 'type', 'part', 'row')

GENERIC_PHRASES = frozenset(
    [
        *_PRONOUNS.split(),
        *(f'{article}{noun}' for article in ('', 'the ') for noun in _PLACES),
        *(f'{article}{noun}' for article in ('', 'a ', 'an ', 'the ', 'this ') for noun in _PICTURES),
        *(form for noun in _AMOUNTS for form in (noun, f'a {noun}', f'the {noun}', f'{noun}s')),
    ]
)
