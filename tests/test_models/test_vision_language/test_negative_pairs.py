"""A pair that matches is never a negative; half of a batch matches; hard negatives look like the right image."""

import pytest
import torch

from florence.models.vision_language.negative_pairs import draw_images, matching_pairs, next_other
from florence.structures import ImageTextSample


def samples_of(*images, labels=None):
    samples = []
    for index, image in enumerate(images):
        sample = ImageTextSample(metainfo={} if image is None else {'img_path': image})
        sample.label = -1 if labels is None else labels[index]
        samples.append(sample)
    return samples


def test_what_matches():
    samples = samples_of('a.jpg', 'b.jpg', 'a.jpg', None, None, labels=[-1, 5, -1, 5, -1])
    matches = matching_pairs(samples, ['a dog', 'a cat', 'brown dog', 'cats', ' A Cat '])
    pairs = {(i, j) for i, j in matches.nonzero().tolist() if i < j}
    assert pairs == {(0, 2), (1, 4), (1, 3)}  # the image; the text but for case and blanks; the label
    assert torch.equal(matches, matches.T) and matches.diagonal().all()


@pytest.mark.parametrize('negatives', ['hard', 'random'])
@pytest.mark.parametrize('num_pairs', [2, 7, 32])
def test_half_matches_and_no_negative_does(negatives, num_pairs):
    texts = [f'text {i % max(2, num_pairs - 2)}' for i in range(num_pairs)]
    matches = matching_pairs(samples_of(*[None] * num_pairs), texts)
    image = torch.randn(num_pairs, 4, 8)
    seen = set()
    for _ in range(30):
        index, is_match = draw_images(matches, image, negatives)
        assert is_match.sum() == num_pairs // 2
        found = matches[torch.arange(num_pairs), index]
        assert torch.equal(found.long(), is_match)
        assert torch.equal(index[is_match == 1], torch.arange(num_pairs)[is_match == 1])
        seen |= set((is_match == 0).nonzero().flatten().tolist())
    assert seen == set(range(num_pairs))


def test_hard_negatives_look_like_the_right_image():
    kinds = torch.arange(32) % 4
    image = torch.randn(4, 1, 8)[kinds] + 0.3 * torch.randn(32, 5, 8) + 10
    matches = torch.eye(32, dtype=torch.bool)
    share = {}
    for negatives in ('hard', 'random'):
        same = []
        for _ in range(50):
            index, is_match = draw_images(matches, image, negatives)
            same.append((kinds[index] == kinds)[is_match == 0].float().mean())
        share[negatives] = torch.stack(same).mean()
    assert share['hard'] > 0.9 and abs(share['random'] - 7 / 31) < 0.08


def test_features_that_are_no_numbers_are_left_to_the_guard_of_the_loss():
    index, is_match = draw_images(torch.eye(4, dtype=torch.bool), torch.full((4, 2, 3), torch.nan), 'hard')
    assert is_match.sum() == 2 and ((index == torch.arange(4)) == is_match.bool()).all()


def test_where_everything_matches_nothing_is_a_negative():
    index, is_match = draw_images(torch.ones(3, 3, dtype=torch.bool), torch.randn(3, 2, 4), 'hard')
    assert index.tolist() == [0, 1, 2] and is_match.tolist() == [1, 1, 1]


def test_next_other():
    matches = matching_pairs(samples_of(*[None] * 4), ['a', 'a', 'b', 'a'])
    assert next_other(matches).tolist() == [2, 2, 3, 2]
    assert next_other(torch.ones(2, 2, dtype=torch.bool)).tolist() == [-1, -1]
    assert next_other(torch.eye(1, dtype=torch.bool)).tolist() == [-1]
