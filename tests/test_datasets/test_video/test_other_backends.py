"""Every decoder that is installed gives the same frames; one that is not says which package it needs."""

import builtins

import numpy as np
import pytest
from video_files import number_of, turn, write_video

from florence.datasets.bad_samples import BadSample
from florence.datasets.video import open_video
from florence.datasets.video.open_video import BACKENDS

PACKAGE = {'pyav': 'av', 'decord': 'decord', 'opencv': 'cv2', 'torchcodec': 'torchcodec'}


@pytest.fixture(params=['decord', 'opencv', 'torchcodec'])
def backend(request):
    pytest.importorskip(PACKAGE[request.param])
    return request.param


def test_same_frames_as_pyav(tmp_path, backend):
    path = write_video(tmp_path / 'a.mp4', 40)
    reader, right = open_video(path, backend), open_video(path)
    indices = [39, 3, 17, 3]
    frames, num_missing = reader.frames(indices)
    assert (reader.num_frames, reader.frame_rate, num_missing) == (40, pytest.approx(10), 0)
    for frame, same in zip(frames, right.frames(indices)[0], strict=True):
        assert frame.dtype == np.uint8 and np.abs(frame.astype(int) - same).max() <= 8  # their conversion to RGB rounds otherwise
    assert [number_of(frame) for frame in frames] == indices
    assert frames[1] is not frames[3] and not np.shares_memory(frames[1], frames[3])
    if reader.times is not None:
        np.testing.assert_allclose(reader.times, right.times, atol=1e-3)
    reader.close()


def test_rotation(tmp_path, backend):
    path = turn(write_video(tmp_path / 'a.mp4', 3, size=(48, 80)), 0, 1, -1, 0)
    reader = open_video(path, backend)
    if backend == 'decord':  # neither decord 0.6 nor decord2 3.4 can
        with pytest.raises(BadSample, match=f'cannot decode video {path}'):
            reader.frames([1])
    else:
        assert reader.frames([1])[0][0].shape == open_video(path).frames([1])[0][0].shape == (80, 48, 3)


@pytest.mark.parametrize('content', [None, b'', b'not a video ' * 100])
def test_faults_name_the_file(tmp_path, backend, content):
    path = tmp_path / 'clip.mp4'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadSample) as error:
        open_video(path, backend)
    assert str(path) in str(error.value) and '\n' not in str(error.value)


@pytest.mark.parametrize('name', BACKENDS)
def test_an_absent_package_is_named(tmp_path, monkeypatch, name):
    path = write_video(tmp_path / 'a.mp4', 3)
    real = builtins.__import__

    def without(module, *args, **kwargs):
        if module.split('.')[0] == PACKAGE[name]:
            raise ImportError(f'No module named {module!r}')
        return real(module, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', without)
    with pytest.raises(ImportError, match='install|needs') as error:
        open_video(path, name)
    assert '\n' not in str(error.value)


def test_an_unknown_backend_is_refused():
    with pytest.raises(KeyError, match="no video backend named 'vlc'; known: pyav, decord, opencv, torchcodec"):
        open_video('a.mp4', 'vlc')
