"""OpenVideo, SampleClips and DecodeVideo, followed by mmaction2's transforms."""

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from video_files import number_of, write_video

from florence.datasets.bad_samples import BadSample
from florence.datasets.transforms import DecodeVideo, OpenVideo


def pipeline(*more, backend='pyav', **sampling):
    steps = [
        dict(type='florence.OpenVideo', backend=backend),
        dict(type='florence.SampleClips', **sampling),
        dict(type='florence.DecodeVideo'),
    ]
    with DefaultScope.overwrite_default_scope('mmaction'):
        return Compose([*steps, *more])


def test_keys_and_frames(tmp_path):
    path = write_video(tmp_path / 'a.mp4', 30, size=(48, 80))
    results = pipeline(clip_len=4, frame_interval=2, num_clips=2, test_mode=True)(dict(filename=str(path)))
    assert results['total_frames'] == 30 and results['avg_fps'] == pytest.approx(10)
    assert [number_of(img) for img in results['imgs']] == results['frame_inds'].tolist() == [0, 2, 4, 6, 23, 25, 27, 29]
    assert results['original_shape'] == results['img_shape'] == (48, 80)
    assert results['num_missing_frames'] == 0 and 'video_reader' not in results


def test_views_of_a_multi_view_test(tmp_path):
    path = write_video(tmp_path / 'a.mp4', 30, size=(64, 96))
    more = (
        dict(type='Resize', scale=(-1, 32)),
        dict(type='ThreeCrop', crop_size=32),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    )
    packed = pipeline(*more, clip_len=4, frame_interval=2, num_clips=4, test_mode=True)(dict(filename=str(path), label=3))
    assert packed['inputs'].shape == (12, 3, 4, 32, 32) and packed['data_samples'].gt_label.tolist() == [3]
    alike = packed['inputs'].unflatten(0, (3, 4)).float().mean((0, 2, 4, 5))  # mean over crops: the place in time is left
    assert len({tuple(clip.round().int().tolist()) for clip in alike}) == 4


def test_frames_of_a_looped_clip_are_mirrored_once(tmp_path):
    """mmaction2 mirrors in place: the same array twice would be mirrored twice."""
    path = write_video(tmp_path / 'a.mp4', 2)
    plain = pipeline(clip_len=4, test_mode=True)(dict(filename=str(path)))['imgs']
    mirrored = pipeline(dict(type='Flip', flip_ratio=1.0), clip_len=4, test_mode=True)(dict(filename=str(path)))['imgs']
    assert [number_of(img) for img in plain] == [0, 1, 0, 1]
    assert all(np.array_equal(a, b[:, ::-1]) for a, b in zip(mirrored, plain, strict=True))


@pytest.mark.parametrize('backend', ['decord', 'opencv'])
def test_other_backends(tmp_path, backend):
    pytest.importorskip({'decord': 'decord', 'opencv': 'cv2'}[backend])
    path = write_video(tmp_path / 'a.mp4', 30)
    results = pipeline(clip_len=4, frame_interval=3, test_mode=True, backend=backend)(dict(filename=str(path)))
    assert [number_of(img) for img in results['imgs']] == results['frame_inds'].tolist()


class Broken:
    path = 'clip.mp4'
    is_closed = False

    def __init__(self, shapes, num_missing):
        self.shapes, self.num_missing = shapes, num_missing

    def frames(self, indices):
        return [np.zeros((*shape, 3), np.uint8) for shape in self.shapes], self.num_missing

    def close(self):
        self.is_closed = True


def test_a_clip_that_is_mostly_missing_is_a_bad_sample(log_lines):
    reader = Broken([(8, 8)] * 4, 3)
    with pytest.raises(BadSample, match=r'3 of 4 frames of a clip of video clip\.mp4 cannot be decoded'):
        DecodeVideo()(dict(video_reader=reader, frame_inds=np.arange(4)))
    assert reader.is_closed
    assert not log_lines


def test_stand_ins_are_counted_and_said_once_for_each_video(log_lines):
    for _ in range(2):
        reader = Broken([(8, 8)] * 4, 2)
        reader.path = 'half.mp4'
        assert DecodeVideo()(dict(video_reader=reader, frame_inds=np.arange(4)))['num_missing_frames'] == 2
    assert sum('half.mp4: some of its frames cannot be decoded' in line for line in log_lines) == 1


def test_frames_that_change_their_size_are_a_bad_sample():
    with pytest.raises(BadSample, match=r'clip\.mp4 change their size'):
        DecodeVideo()(dict(video_reader=Broken([(8, 8), (8, 4)], 0), frame_inds=np.arange(2)))


def test_steps_in_the_wrong_order_are_refused():
    with pytest.raises(KeyError, match='put OpenVideo before it'):
        DecodeVideo()(dict(frame_inds=np.arange(2)))
    with pytest.raises(KeyError, match="no video backend named 'vlc'"):
        OpenVideo('vlc')
