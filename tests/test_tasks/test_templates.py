"""Template sets against the counts published with CLIP, and the rules for filling them."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from florence.tasks import templates
from florence.tasks.templates import (
    EXPANSION_TEMPLATES,
    class_prompts,
    fill_template,
    get_templates,
    is_short_text,
    template_set_names,
)

# Sizes of CLIP's published sets for the paper's twelve data sets (VOC2007, pets, flowers and food have one).
PUBLISHED_SIZES = {
    'aircraft': 2, 'caltech101': 34, 'cars': 8, 'cifar10': 18, 'cifar100': 18, 'dtd': 8, 'flowers102': 1,
    'food101': 1, 'openai_imagenet': 80, 'pets': 1, 'stl10': 2, 'sun397': 2, 'voc2007': 1,
}  # fmt: skip


@pytest.mark.parametrize('name', PUBLISHED_SIZES)
def test_set_has_the_published_size(name):
    assert len(get_templates(name)) == PUBLISHED_SIZES[name]


@pytest.mark.parametrize('name', template_set_names())
def test_every_template_has_one_gap_and_is_listed_once(name):
    found = get_templates(name)
    assert all(template.count('{}') == 1 for template in found)
    assert len(set(found)) == len(found)


def test_imagenet_set_renders_as_open_clip_does():
    metadata = pytest.importorskip('open_clip.zero_shot_metadata')
    expected = tuple(template('tench') for template in metadata.OPENAI_IMAGENET_TEMPLATES)
    assert class_prompts('tench', 'openai_imagenet') == expected


def test_imagenet_set_without_open_clip_says_what_to_install(monkeypatch):
    templates._openai_imagenet.cache_clear()
    monkeypatch.setitem(sys.modules, 'open_clip', None)
    monkeypatch.setitem(sys.modules, 'open_clip.zero_shot_metadata', None)
    with pytest.raises(ImportError, match='open_clip_torch'):
        get_templates('openai_imagenet')
    assert 'openai_imagenet' in template_set_names()


def test_expansion_holds_the_two_templates_that_the_paper_quotes():
    assert 'a photo of the {}.' in EXPANSION_TEMPLATES
    assert 'a cropped photo of {}.' in EXPANSION_TEMPLATES


def test_wording_of_some_sets():
    assert class_prompts('dog', 'simple') == ('a photo of a dog.',)
    assert class_prompts('banded', 'dtd')[4] == 'a photo of the banded texture.'
    assert class_prompts('Boeing 717', 'aircraft')[1] == 'a photo of the Boeing 717, a type of aircraft.'
    assert class_prompts('cat', 'cifar10')[7] == 'a photo of a small cat.'


@given(st.text())
def test_filling_keeps_the_text_to_the_letter(text):
    assert fill_template('a photo of {}.', text) == 'a photo of ' + text + '.'


@pytest.mark.parametrize('template', ['a photo.', '{} and {}'])
def test_template_without_exactly_one_gap_is_refused(template):
    with pytest.raises(ValueError, match='exactly one'):
        fill_template(template, 'dog')


def test_unknown_set_names_the_known_ones():
    with pytest.raises(KeyError, match='cifar10'):
        get_templates('cifar11')


@pytest.mark.parametrize(('text', 'short'), [('dog', True), (' red  dog ', True), ('a red dog', False), ('', True)])
def test_short_means_at_most_two_words(text, short):
    assert is_short_text(text, 2) is short
