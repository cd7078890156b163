"""Overrides on a command line become the values that one reads there."""

import argparse

import pytest

from florence.engine.cfg_options import add_cfg_options


def parsed(*items):
    parser = argparse.ArgumentParser()
    add_cfg_options(parser)
    return parser.parse_args(['--cfg-options', *items]).cfg_options


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('3', 3),
        ('1e-3', 1e-3),
        ('True', True),
        ('None', None),
        ('*.attn', '*.attn'),
        ('1,2', [1, 2]),
        ('[1, 2]', [1, 2]),
        ('(0.9, 0.95)', (0.9, 0.95)),
        ('[a, b]', ['a', 'b']),
        ('[(1, 2, 3), [a, b], c]', [(1, 2, 3), ['a', 'b'], 'c']),
        ("['red cell']", ['red cell']),
        ('[red cell, platelet]', ['red cell', 'platelet']),
        ('red cell,white cell', ['red cell', 'white cell']),
        ('my data/a b.json', 'my data/a b.json'),
        ("'3'", '3'),
        ("{'<OD>': 2, '<CAPTION>': 0.5}", {'<OD>': 2, '<CAPTION>': 0.5}),
        ('dict', 'dict'),
        ('', ''),
    ],
)
def test_values(text, value):
    found = parsed(f'a.b={text}')['a.b']
    assert found == value and type(found) is type(value)


def test_several_and_an_equals_sign_in_a_value():
    assert parsed('a=1', 'b=x=y') == {'a': 1, 'b': 'x=y'}


@pytest.mark.parametrize(('item', 'message'), [('lr', "'lr': expected KEY=VALUE"), ('a=[1,2', 'Imbalanced brackets')])
def test_mistakes_end_with_a_sentence(item, message, capsys):
    with pytest.raises(SystemExit):
        parsed(item)
    assert message in capsys.readouterr().err
