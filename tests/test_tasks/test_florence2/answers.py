"""Answers of a Florence-2 that went wrong: words, tokens and broken pieces of both in any order."""

from hypothesis import strategies as st

from florence.tasks.florence2.tokens import LOCATION_TOKENS

WORDS = ['cat', 'a red dog', ' it', 'the image', 'caf\u00e9 x', '\u65e5\u672c', '\n', 'a\nb', '\n c', ' ', 'a < b', 'x>y']
MARKS = [
    '<sep>',
    '<poly>',
    '</poly>',
    '<and>',
    '<od>',
    '<s>',
    '</s>',
    '<pad>',
    '<<s>s>',
    '<loc_1000>',
    '<loc_',
    '<',
    '>',
    '<loc_12',
]

locations = st.lists(st.sampled_from(LOCATION_TOKENS), min_size=1, max_size=17).map(''.join)
polygon = st.lists(st.sampled_from(LOCATION_TOKENS), min_size=5, max_size=9).map(lambda run: f'<poly>{"".join(run)}</poly>')
broken_answers = st.lists(
    st.one_of(locations, locations, polygon, st.sampled_from(WORDS), st.sampled_from(MARKS)), max_size=14
).map(''.join)
