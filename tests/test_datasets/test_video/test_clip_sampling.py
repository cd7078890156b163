"""Frames of clips: equal to mmaction2's where it is right, and what it gets wrong."""

import numpy as np
import pytest
from mmaction.datasets.transforms import SampleFrames, UniformSample

from florence.datasets.transforms import SampleClips
from florence.loading.sample_seed import seed_generators

LENGTHS = [1, 2, 3, 7, 31, 62, 63, 64, 65, 66, 67, 68, 100, 300]
SHAPES = [(32, 2, 1), (32, 2, 4), (16, 4, 2), (1, 1, 8), (1, 1, 1), (8, 8, 10), (3, 1, 3)]


def both(ours, theirs, num_frames, seed):
    found = []
    for transform in (ours, theirs):
        np.random.seed(seed)
        results = transform(dict(total_frames=num_frames, start_index=0))
        found.append((results['frame_inds'].tolist(), results['clip_len'], results['num_clips']))
    return found


@pytest.mark.parametrize('test_mode', [False, True])
@pytest.mark.parametrize('out_of_bound', ['loop', 'repeat_last'])
@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_dense_equals_mmaction(shape, out_of_bound, test_mode):
    clip_len, interval, num_clips = shape
    ours = SampleClips(clip_len, frame_interval=interval, num_clips=num_clips, out_of_bound=out_of_bound, test_mode=test_mode)
    theirs = SampleFrames(clip_len, interval, num_clips, out_of_bound_opt=out_of_bound, test_mode=test_mode)
    for seed, num_frames in enumerate(LENGTHS * 3):
        mine, right = both(ours, theirs, num_frames, seed)
        assert mine == right, num_frames


@pytest.mark.parametrize('test_mode', [False, True])
@pytest.mark.parametrize('clip_len', [1, 8, 16])
def test_uniform_equals_mmaction(clip_len, test_mode):
    for seed, num_frames in enumerate(LENGTHS):
        for num_clips in (1, 3) if test_mode else (1,):
            ours = SampleClips(clip_len, num_clips=num_clips, mode='uniform', test_mode=test_mode)
            mine, right = both(ours, UniformSample(clip_len, num_clips, test_mode), num_frames, seed)
            assert mine == right, num_frames


def test_several_uniform_clips_in_training():
    """mmaction2 gives one clip and says there are three."""
    results = SampleClips(8, num_clips=3, mode='uniform')(dict(total_frames=80))
    clips = results['frame_inds'].reshape(3, 8)
    assert len(UniformSample(8, 3)(dict(total_frames=80, start_index=0))['frame_inds']) == 8
    segments = np.round(np.arange(9) * 79 / 8)
    assert (clips >= segments[:-1]).all() and (clips <= segments[1:]).all() and len({tuple(clip) for clip in clips}) == 3


def test_a_clip_that_is_longer_than_the_video():
    def sample(**options):
        return SampleClips(6, frame_interval=2, test_mode=True, **options)(dict(total_frames=5))['frame_inds'].tolist()

    assert sample() == [0, 2, 4, 1, 3, 0]
    assert sample(out_of_bound='repeat_last') == [0, 2, 4, 4, 4, 4]


def test_the_loaders_seed_decides():
    def draw(seed):
        seed_generators(seed)
        return SampleClips(4, frame_interval=3)(dict(total_frames=500))['frame_inds'].tolist()

    assert draw(7) == draw(7) and len({tuple(draw(seed)) for seed in range(10)}) > 5


def test_start_index_is_the_number_of_the_first_frame():
    assert SampleClips(3, test_mode=True)(dict(total_frames=3, start_index=1))['frame_inds'].tolist() == [1, 2, 3]


class Clock:
    def __init__(self, times):
        self.times = np.array(times)


def test_fps_follows_the_times_of_the_frames():
    """Shown at 0, 0.1, 0.2, then a second of stillness, then 1.2 and 1.3: at 5 ticks a second."""
    results = dict(total_frames=5, video_reader=Clock([0, 0.1, 0.2, 1.2, 1.3]))
    sample = SampleClips(7, fps=5, test_mode=True)
    assert sample(results)['frame_inds'].tolist() == [0, 2, 2, 2, 2, 2, 3]
    constant = dict(total_frames=100, video_reader=Clock(np.arange(100) / 30))
    every_third = SampleClips(4, fps=10, test_mode=True)(constant)['frame_inds']
    assert np.diff(every_third).tolist() == [3, 3, 3]


def test_fps_needs_times():
    with pytest.raises(ValueError, match=r"fps=5.*of a\.mp4.*'pyav' or 'decord'|fps=5.*a\.mp4"):
        SampleClips(4, fps=5)(dict(total_frames=9, video_reader=object(), filename='a.mp4'))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(clip_len=0), 'clip_len must be a whole number, at least 1'),
        (dict(clip_len=2.5), r'clip_len must be a whole number, at least 1, not 2\.5'),
        (dict(clip_len='8'), 'clip_len must be a whole number'),
        (dict(clip_len=2, num_clips=0), 'num_clips must be a whole number'),
        (dict(clip_len=2, mode='sparse'), "not 'sparse'"),
        (dict(clip_len=2, out_of_bound='wrap'), "'wrap'"),
        (dict(clip_len=2, mode='uniform', frame_interval=2), 'frame_interval belongs to mode dense'),
        (dict(clip_len=2, fps=0), 'fps must be above 0'),
    ],
)
def test_arguments_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SampleClips(**options)


def test_a_video_that_was_not_opened_is_refused():
    with pytest.raises(KeyError, match='put OpenVideo before it'):
        SampleClips(4)({})
