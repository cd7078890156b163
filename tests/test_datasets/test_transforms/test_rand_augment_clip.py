"""RandAugmentClip: what is drawn holds for every frame."""

import random

import numpy as np
import pytest

from florence.datasets.transforms import RandAugment, RandAugmentClip
from florence.datasets.transforms.rand_augment import OPERATIONS


def picture():
    return np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)


def test_frames_that_are_alike_stay_alike():
    step = RandAugmentClip(num_ops=3, magnitude=20)
    changed = 0
    for _ in range(40):
        frames = step(dict(imgs=[picture() for _ in range(5)]))['imgs']
        assert len(frames) == 5 and frames[0].shape == (20, 24, 3) and frames[0].dtype == np.uint8
        assert all(np.array_equal(frame, frames[0]) for frame in frames)
        changed += not np.array_equal(frames[0], picture())
    assert changed > 30


def test_one_frame_is_augmented_as_by_rand_augment():
    for seed in range(20):
        random.seed(seed)
        image = RandAugment(2, 15)(dict(img=picture()))['img']
        random.seed(seed)
        assert np.array_equal(RandAugmentClip(2, 15)(dict(imgs=[picture()]))['imgs'][0], image)


def test_turns_go_one_way_in_a_clip_and_either_way_over_clips(monkeypatch):
    monkeypatch.setattr('florence.datasets.transforms.rand_augment_clip.OPERATIONS', {'rotate': OPERATIONS['rotate']})
    step = RandAugmentClip(num_ops=1, magnitude=30)
    seen = {step(dict(imgs=[picture(), picture()]))['imgs'][1].tobytes() for _ in range(20)}
    assert len(seen) == 2


def test_videos_differ_and_limits_are_those_of_rand_augment():
    step = RandAugmentClip()
    assert len({step(dict(imgs=[picture()]))['imgs'][0].tobytes() for _ in range(20)}) > 5
    with pytest.raises(ValueError, match='magnitude'):
        RandAugmentClip(magnitude=31)
    with pytest.raises(ValueError, match='num_ops'):
        RandAugmentClip(num_ops=0)
