"""Captions of digit clips, and the pairs of clips and captions."""

from dataclasses import replace

import pytest

from florence.datasets.digit_scenes import DigitClipPairs
from florence.datasets.digit_scenes.clips import ACTION_NAMES, ClipRecipe, ClipSampler, DigitClip
from florence.datasets.digit_scenes.clips_captions import clip_caption
from florence.datasets.digit_scenes.scene import COLOR_NAMES, DIGIT_NAMES, DigitObject, DigitScene

SEVEN = DigitObject(7, 0, 'red', 'small', (10.0, 10.0), 12.0, 0.0)
EIGHT = replace(SEVEN, digit=8, color='orange')


def clip(action, bystander=None):
    objects = (SEVEN,) if bystander is None else (bystander, SEVEN)
    return DigitClip((DigitScene(objects, 'grey', 32, 'train', 1.0),) * 2, action, SEVEN, bystander)


def test_captions_say_who_does_what():
    assert clip_caption(clip('moves left'), 'short') == 'a seven moves left'
    assert clip_caption(clip('moves left'), 'medium') == 'a red seven moves left'
    assert clip_caption(clip('turns clockwise'), 'detailed') == 'a red seven turns clockwise on a grey ground'
    beside = 'a red seven appears beside an orange eight on a grey ground'
    assert clip_caption(clip('appears', EIGHT), 'detailed') == beside
    assert clip_caption(clip('appears', EIGHT), 'medium') == 'a red seven appears'
    with pytest.raises(ValueError, match="got 'long'"):
        clip_caption(clip('grows'), 'long')


def test_the_bystander_differs_from_the_actor():
    sampler = ClipSampler(ClipRecipe(), 'train')
    clips = [sampler.sample(sampler.rng(index)) for index in range(500)]
    both = [each for each in clips if each.bystander]
    assert 0.5 < len(both) / len(clips) < 0.7  # half of eight actions, all of the other two
    assert all((each.actor.digit, each.actor.color) != (each.bystander.digit, each.bystander.color) for each in both)


def test_training_draws_the_granularity():
    probs = dict(short=0.2, medium=0.3, detailed=0.5)
    data = DigitClipPairs(2000, granularity_probs=probs)
    texts = list(data.captions())
    assert len(texts) == 2000
    for index in (0, 7, 1234):
        sample = data[index]
        assert sample['text'] == texts[index] and 'captions' not in sample and len(sample['imgs']) == 8
        shown = data.sampler.sample(data.sampler.rng(index))
        assert texts[index] in {clip_caption(shown, granularity) for granularity in probs}
    detailed = sum('ground' in text for text in texts) / 2000
    short = sum(not any(color in text for color in COLOR_NAMES) for text in texts) / 2000
    assert detailed == pytest.approx(0.5, abs=0.04) and short == pytest.approx(0.2, abs=0.04)
    assert all(any(action in text for text in texts) for action in ACTION_NAMES)
    assert all(any(digit in text for text in texts) for digit in DIGIT_NAMES)


def test_test_captions_are_distinct_and_right():
    data = DigitClipPairs(300, split='test', recipe=dict(pairs='all'))
    captions = list(data.captions())
    assert len(set(captions)) == len(data) == 300
    for index in (0, 99, 299):
        sample = data[index]
        assert sample['captions'] == (captions[index],) and sample['image_id'] == index and 'text' not in sample
        shown = data.sampler.sample(data.sampler.rng(data.clip_index(index)))
        assert clip_caption(shown, 'medium') == captions[index]
        assert sample['sample_id'] == f'clips/test/0/{data.clip_index(index)}'


def test_too_many_clips_for_the_captions_there_are():
    with pytest.raises(ValueError, match="test_granularity='detailed'"):
        DigitClipPairs(120, split='test', test_granularity='short')
    assert len(set(DigitClipPairs(700, split='test', test_granularity='detailed').captions())) == 700


def test_bad_granularities():
    with pytest.raises(ValueError, match='sum to 1'):
        DigitClipPairs(4, granularity_probs=dict(short=0.4))
    with pytest.raises(ValueError, match='granularity_probs'):
        DigitClipPairs(4, test_granularity='long')
