"""Rules on descriptions: empty ones are bad samples, short ones can be left out."""

import pytest

from florence.datasets.bad_samples import BadSample
from florence.datasets.sample_texts import (
    drop_short_texts,
    require_texts,
    settle_single_caption,
    without_short_texts,
)


@pytest.mark.parametrize('info', [dict(text=' \n'), dict(captions=('a dog', '')), dict(captions=()), dict(text=None)])
def test_empty_description_is_a_bad_sample_and_is_named(info):
    with pytest.raises(BadSample, match='sample 7.jpg'):
        require_texts(dict(info, sample_id='7.jpg'))


@pytest.mark.parametrize('info', [dict(text='dog'), dict(captions=('a', 'b')), dict(gt_label=3)])
def test_usable_sample_passes_unchanged(info):
    sample = dict(info, sample_id='7.jpg')
    require_texts(sample)
    assert sample == dict(info, sample_id='7.jpg')


def test_only_caption_becomes_the_text_in_training_alone():
    info = dict(captions=('a dog',), caption_ids=(4,))
    assert settle_single_caption(dict(info), test_mode=False) == dict(text='a dog')
    assert settle_single_caption(dict(info), test_mode=True) == info
    several = dict(captions=('a dog', 'a cat'))
    assert settle_single_caption(dict(several), test_mode=False) == several


def test_short_captions_go_with_their_ids():
    info = dict(captions=('dog', 'a brown dog', 'two words', 'one two three'), caption_ids=(1, 2, 3, 4))
    assert without_short_texts(info, 2) == dict(captions=('a brown dog', 'one two three'), caption_ids=(2, 4))
    assert without_short_texts(dict(captions=('dog', 'red cat')), 2) is None
    assert without_short_texts(dict(text='red cat'), 2) is None
    assert without_short_texts(dict(text='red cat'), 1) == dict(text='red cat')


def test_empty_captions_stay_to_be_reported():
    assert without_short_texts(dict(captions=()), 2) == dict(captions=())
    assert without_short_texts(dict(text=' '), 2) == dict(text=' ')


def test_log_counts_what_went(log_lines):
    samples = [dict(captions=('dog', 'a brown dog')), dict(text='cat'), dict(text='a small cat')]
    assert len(drop_short_texts(samples, 2, 'demo')) == 2
    assert log_lines == ['demo: left out 2 of 4 texts with at most 2 words, and with them 1 of 3 samples']


def test_nothing_left_is_an_error():
    with pytest.raises(ValueError, match='drop_short_texts leaves nothing'):
        drop_short_texts([dict(text='dog')], 2, 'demo')
