"""DigitSceneCaptions: every order is right, training takes one."""

import itertools

from florence.datasets.digit_scenes import DigitSceneCaptions
from florence.datasets.digit_scenes.captioning import right_captions
from florence.datasets.digit_scenes.scene import DigitObject, DigitScene

RECIPE = dict(image_size=64, num_objects_probs=(0.3, 0.4, 0.3))


def thing(digit, color, size, x, y):
    return DigitObject(digit, 0, color, size, (x, y), 20.0, 0.0)


def scene(*objects):
    return DigitScene(tuple(objects), 'grey', 64, 'test', 1.0)


def test_right_captions_of_one_two_and_three_objects():
    seven, two, one = thing(7, 'red', 'large', 10, 30), thing(2, 'blue', 'small', 50, 32), thing(1, 'orange', 'small', 30, 50)
    assert right_captions(scene(seven)) == ('a large red seven on a grey ground',)
    assert right_captions(scene(seven, two)) == (
        'a large red seven left of a small blue two on a grey ground',
        'a small blue two right of a large red seven on a grey ground',
    )
    names = ('a large red seven', 'a small blue two', 'a small orange one')
    assert set(right_captions(scene(seven, two, one))) == {
        f'{first}, {second} and {third} on a grey ground' for first, second, third in itertools.permutations(names)
    }


def test_like_objects_give_fewer_captions():
    like = thing(7, 'red', 'large', 10, 30)
    assert len(right_captions(scene(like, thing(7, 'red', 'large', 50, 30)))) == 2  # left of, right of
    assert len(right_captions(scene(like, like, like))) == 1


def test_training_draws_one_of_them_and_every_order_comes():
    train = DigitSceneCaptions(300, split='train', recipe=RECIPE)
    places = []
    for index in range(300):
        sample = train[index]
        right = right_captions(train.sampler.sample(train.sampler.rng(index)))
        assert 'captions' not in sample
        if len(right) == 6:
            places.append(right.index(sample['text']))
        else:
            assert sample['text'] in right
    assert set(places) == set(range(6))


def test_evaluation_has_all_of_them_of_other_scans():
    test = DigitSceneCaptions(20, split='test', recipe=RECIPE)
    for index in range(20):
        sample = test[index]
        assert sample['captions'] == right_captions(test.sampler.sample(test.sampler.rng(index)))
        assert sample['image_id'] == index and 'text' not in sample and sample['img'].shape == (64, 64, 3)


def test_texts_without_rendering_are_those_of_the_samples():
    train = DigitSceneCaptions(30, recipe=RECIPE)
    assert list(train.captions()) == [train[index]['text'] for index in range(30)]
