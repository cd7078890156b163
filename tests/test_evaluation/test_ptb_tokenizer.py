"""Tokens against the answers of stanford-corenlp-3.4.1: a file of them, and the program itself where it is found."""

import importlib.util
import json
import random
import shutil

import pytest
from conftest import REPO_ROOT

from florence.evaluation.functional.ptb_tokenizer import ptb_tokenize

# Made lines and what pycocoevalcap 1.2 gives for all of them together, in this order.
GOLDEN = json.loads((REPO_ROOT / 'tests/golden/ptb_tokens.json').read_text())

# fmt: off
PIECES = [
    'a', 'The', 'dog', "dogs'", "cat's", "don't", "CAN'T", 'cannot', 'gonna', "'tis", "we'll", "I'd", "ma'am", "o'clock",
    "'n'", "'90s", "'99", 'U.S.', 'a.m.', 'non-U.S.', 'e.g.', 'Ph.D.', 'J.', 'Mr.', 'Inc.', 'no.', 'No.', 'fig.', 'Ltd.',
    'etc.', '1', '12', '1,000', '3.14', '.5', '1/2', '3/4', '2-3', '4x4', '1st', '7:30', '(555)', '555-1212', '$5', '#5',
    '5%', '½', '10-20', 'well-dressed', 'x-ray', 'pro-', 'and/or', 'AT&T', 'C++', '@user', '#tag', 'www.x.org', 'foo.com',
    'me@x.org', 'photo.jpg', 'http://x.y/z', ',', '.', ';', ':', '!', '?', '-', '--', '---', '...', '(', ')', '[', ']', "'",
    '"', '`', '/', '&', '<b>', '&amp;', ':)', '<3', '“', '”', '’', '…', '–', 'café', '日本', '😀', 'nb\xa0sp', 'soft\xadhyphen',
]
# fmt: on


def test_golden_lines():
    captions, expected = zip(*GOLDEN, strict=True)
    assert len(captions) > 400
    assert dict(enumerate(ptb_tokenize(captions))) == dict(enumerate(expected))


@pytest.mark.parametrize(
    ('caption', 'tokens'),
    [
        ('A man riding a wave.', 'a man riding a wave'),
        ("The dog's bowl isn't full; it cannot eat!", "the dog 's bowl is n't full it can not eat"),
        ('Two boys (one tall) play.', 'two boys -lrb- one tall -rrb- play'),
        ('St. Peter weighs 1,200.5 lbs. in the U.S.', 'st. peter weighs 1,200.5 lbs in the u.s.'),
        ('Add 1 1/2 cups, ½ spoon.', 'add 1\u00a01/2 cups 1/2 spoon'),
        ('Wow!! \U0001f600', 'wow !!'),
        ('', ''),
        (' ... ', ''),
    ],
)
def test_by_hand(caption, tokens):
    assert ptb_tokenize([caption]) == [tokens]


def test_next_caption_decides_about_a_period():
    assert ptb_tokenize(['a sign says no.', '5 men', 'a sign says no.', 'five men']) == [
        'a sign says no.', '5 men', 'a sign says no', 'five men',
    ]  # fmt: skip
    assert ptb_tokenize(['vitamin A.', '', 'The man', 'vitamin A.', 'the man'])[::3] == ['vitamin a', 'vitamin a.']


def test_line_breaks_within_a_caption_are_spaces():
    assert ptb_tokenize(['one\ntwo', 'three\r\nfour\u2028five']) == ['one two', 'three four five']


def test_as_the_program_itself():
    if importlib.util.find_spec('pycocoevalcap') is None or shutil.which('java') is None:
        pytest.skip('pycocoevalcap and Java are not both installed')
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    dice = random.Random(0)
    captions = [
        ''.join(dice.choice(PIECES) + dice.choice(['', ' ', ' ', ' ', '  ']) for _ in range(dice.randint(0, 9)))
        for _ in range(4000)
    ] + [caption for caption, _ in GOLDEN]
    official = PTBTokenizer().tokenize({index: [{'caption': caption}] for index, caption in enumerate(captions)})
    expected = [official[index][0] for index in range(len(captions))]
    different = [group for group in zip(captions, expected, ptb_tokenize(captions), strict=True) if group[1] != group[2]]
    assert not different, f'{len(different)} of {len(captions)}, first {different[0]}'
