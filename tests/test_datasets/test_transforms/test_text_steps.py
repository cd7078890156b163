"""The order of the text steps: choose a caption, hash it, and only then put it into a template."""

import pytest
from mmengine.dataset import Compose

from florence.datasets.transforms import ExpandShortText, HashTextLabel, PickCaption
from florence.tasks.templates import EXPANSION_TEMPLATES, fill_template
from florence.tasks.text_hash import text_label


def sample(**entries) -> dict:
    return {'sample_id': '7.jpg', **entries}


def test_label_is_equal_with_and_without_template():
    plain = HashTextLabel()(sample(text='red dog'))
    seen = set()
    for _ in range(100):
        expanded = Compose([HashTextLabel(), ExpandShortText()])(sample(text='red dog'))
        assert expanded['is_templated'] is True
        assert expanded['label'] == plain['label'] == text_label('red dog')
        seen.add(expanded['text'])
    assert seen == {fill_template(template, 'red dog') for template in EXPANSION_TEMPLATES}


def test_longer_text_is_left_alone():
    results = Compose([HashTextLabel(), ExpandShortText(max_words=2)])(sample(text='a red dog'))
    assert (results['text'], results['is_templated']) == ('a red dog', False)


def test_templates_by_name_or_given():
    assert Compose([HashTextLabel(), ExpandShortText(templates='simple')])(sample(text='dog'))['text'] == 'a photo of a dog.'
    assert Compose([HashTextLabel(), ExpandShortText(templates=['see {}'])])(sample(text='dog'))['text'] == 'see dog'


def test_wrong_order_is_refused_both_ways():
    with pytest.raises(ValueError, match='ExpandShortText must stand after HashTextLabel'):
        ExpandShortText()(sample(text='dog'))
    with pytest.raises(ValueError, match='HashTextLabel must stand before ExpandShortText'):
        HashTextLabel()(sample(text='a photo of a dog.', is_templated=True))
    with pytest.raises(ValueError, match='PickCaption must stand before HashTextLabel'):
        PickCaption()(sample(captions=('a', 'b'), label=3))
    with pytest.raises(ValueError, match='PickCaption must stand before it'):
        HashTextLabel()(sample(captions=('a', 'b')))


def test_normalization_reaches_the_label_not_the_text():
    results = HashTextLabel(normalize='casefold')(sample(text=' Dog'))
    assert (results['label'], results['text']) == (text_label('dog'), ' Dog')


def test_every_caption_is_drawn_about_equally():
    captions = ('one', 'two', 'three', 'four')
    drawn = [PickCaption()(sample(captions=captions, caption_ids=(1, 2, 3, 4)))['text'] for _ in range(2000)]
    assert all(400 < drawn.count(caption) < 600 for caption in captions)


def test_picking_replaces_the_captions():
    assert PickCaption()(sample(captions=('one',), caption_ids=(1,))) == sample(text='one')
    assert PickCaption()(sample(text='one')) == sample(text='one')
    with pytest.raises(ValueError, match=r"'7\.jpg' has neither"):
        PickCaption()(sample())


@pytest.mark.parametrize(
    ('build', 'error'),
    [
        (lambda: HashTextLabel(normalize='lower'), ValueError),
        (lambda: ExpandShortText(templates='no such set'), KeyError),
        (lambda: ExpandShortText(templates=['no gap']), ValueError),
        (lambda: ExpandShortText(templates=[]), ValueError),
    ],
)
def test_wrong_options_are_refused_when_built(build, error):
    with pytest.raises(error):
        build()
