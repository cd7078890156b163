"""Frames by seeking are those of decoding from the start; times, rotation, and every fault of a file."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from video_files import SIZE, damage, decode_all, number_of, numbered_frame, turn, write_sound, write_video

from florence.datasets.bad_samples import BadSample
from florence.datasets.video import open_video
from florence.datasets.video.packet_index import PacketIndex, split_at_keyframes
from florence.datasets.video.pyav_reader import PyAVReader
from florence.datasets.video.sample_table_index import SampleTableIndex

pytest.importorskip('av')

FILES = {
    'b_frames.mp4': dict(options={'preset': 'fast'}),
    'open_gop.mp4': dict(options={'x264-params': 'open-gop=1:bframes=3:b-adapt=0'}),
    'pyramid.mkv': dict(options={'x264-params': 'bframes=5:b-pyramid=normal:b-adapt=0'}),
    'intra_refresh.mp4': dict(options={'x264-params': 'intra-refresh=1'}),
    'stream.ts': {},
    'mpeg4.mp4': dict(codec='mpeg4', options={'bf': '2'}),
    'mpeg4.avi': dict(codec='mpeg4', options={'bf': '2'}),
    'hidden_frames.webm': dict(codec='libvpx', options={'deadline': 'realtime', 'cpu-used': '8', 'auto-alt-ref': '1'}),
    'vp9.webm': dict(codec='libvpx-vp9', options={'deadline': 'realtime', 'cpu-used': '8'}),
}


@pytest.mark.parametrize('name', FILES)
def test_frames_are_those_of_decoding_from_the_start(tmp_path, name):
    path = write_video(tmp_path / name, 60, **FILES[name])
    right = decode_all(path)
    reader = open_video(path)
    assert reader.num_frames == len(right) == 60
    for indices in ([59], [0], [31, 33, 35, 37], [5, 50, 5, 0, 59], list(range(20, 44)), [12], [11, 12], [47, 48, 58]):
        frames, num_missing = reader.frames(indices)
        assert num_missing == 0
        for index, frame in zip(indices, frames, strict=True):
            assert np.array_equal(frame, right[index]), index


@pytest.mark.parametrize('name', ['bikes.mp4', 'mmaction2_arm_wrestling_demo.mp4', 'mmaction2_test.avi'])
def test_real_videos(test_data, name):
    path = test_data / 'video_misc' / name
    right = decode_all(path)
    reader = open_video(path)
    assert reader.num_frames == len(right)
    indices = np.random.randint(len(right), size=12)
    frames, num_missing = reader.frames(indices)
    assert num_missing == 0 and all(np.array_equal(frame, right[index]) for index, frame in zip(indices, frames, strict=True))


def test_a_late_frame_does_not_decode_the_video(tmp_path, monkeypatch):
    reader = open_video(write_video(tmp_path / 'a.mp4', 120, gop=10))
    decoded = []
    decode = PyAVReader._decode
    monkeypatch.setattr(PyAVReader, '_decode', lambda self, packet: decoded.append(packet.pts) or decode(self, packet))
    monkeypatch.setattr(PyAVReader, '_by_counting', None)
    assert number_of(reader.frames([101])[0][0]) == 101
    assert len(decoded) <= 30  # of 120: its group, that before it, and what the decoder holds back


@pytest.mark.parametrize('name', ['a.mp4', 'a.mkv'])
def test_both_indices_plan_the_same_frames(tmp_path, name):
    import av

    path = write_video(tmp_path / name, 60)
    reader = PyAVReader(str(path))
    assert type(reader._index) is (SampleTableIndex if name.endswith('mp4') else PacketIndex)
    container = av.open(str(path))
    full = PacketIndex(container, container.streams.video[0])
    wanted = np.array([3, 17, 18, 59])

    def stamps(index):
        return {number: pts for _, numbers in index.runs(wanted) for pts, number in numbers.items()}

    assert stamps(reader._index) == stamps(full) and list(stamps(full)) == wanted.tolist()
    assert np.array_equal(reader.times, full.times())


def test_frames_that_are_near_are_decoded_in_one_go():
    assert [run.tolist() for run in split_at_keyframes(np.array([3, 9, 41, 43, 50]), np.array([0, 0, 40, 40, 48]))] == [
        [3, 9],
        [41, 43, 50],
    ]


@pytest.mark.parametrize('name', ['a.mp4', 'a.mkv'])
def test_variable_frame_rate(tmp_path, name):
    times = [Fraction(n * (n + 1), 40) for n in range(20)]  # slower and slower
    reader = open_video(write_video(tmp_path / name, 20, times=times))
    assert reader.num_frames == 20
    np.testing.assert_allclose(reader.times, [float(time) for time in times], atol=1.01e-3)  # Matroska counts milliseconds
    assert [number_of(frame) for frame in reader.frames([0, 7, 19])[0]] == [0, 7, 19]


TURNS = {
    'none': ((1, 0, 0, 1), lambda image: image),
    'clockwise': ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    'counter-clockwise': ((0, -1, 1, 0), lambda image: np.rot90(image)),
    'upside down': ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    'mirrored': ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
    'flipped': ((1, 0, 0, -1), lambda image: image[::-1]),
    'transposed': ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
}


@pytest.mark.parametrize('name', TURNS)
def test_rotation_of_the_file_is_applied(tmp_path, name):
    matrix, change = TURNS[name]
    path = turn(write_video(tmp_path / 'a.mp4', 3, size=(48, 80)), *matrix)
    frame = open_video(path).frames([1])[0][0]
    assert np.array_equal(frame, change(decode_all(path)[1])) and frame.flags.c_contiguous
    assert np.abs(frame.astype(int) - change(numbered_frame(1, 48, 80))).mean() < 12


def test_a_frame_that_is_asked_for_twice_is_two_arrays(tmp_path):
    first, second = open_video(write_video(tmp_path / 'a.mp4', 3)).frames([1, 1])[0]
    first[:] = 0
    assert number_of(second) == 1


@pytest.mark.parametrize('num_frames', [1, 3])
def test_very_short_videos(tmp_path, num_frames):
    reader = open_video(write_video(tmp_path / 'a.mp4', num_frames))
    assert reader.num_frames == num_frames and len(reader.times) == num_frames
    assert [number_of(frame) for frame in reader.frames(range(num_frames))[0]] == list(range(num_frames))
    with pytest.raises(IndexError, match=rf'a\.mp4, which has {num_frames}'):
        reader.frames([num_frames])


def test_two_threads_give_the_same(tmp_path):
    path = write_video(tmp_path / 'a.mp4', 40)
    one, two = (open_video(path, num_threads=threads).frames([3, 25, 26, 39])[0] for threads in (1, 2))
    assert all(map(np.array_equal, one, two))


def test_the_ending_of_the_name_does_not_matter(tmp_path):
    path = write_video(tmp_path / 'a.mp4', 5).rename(tmp_path / 'a.avi')
    assert number_of(open_video(path).frames([4])[0][0]) == 4


def make_fault(kind, folder):
    path = folder / 'clip.mp4'
    match kind:
        case 'missing':
            return path
        case 'folder':
            path.mkdir()
        case 'empty':
            path.touch()
        case 'text':
            path.write_text('Not a video, but a long sentence. ' * 40)
        case 'picture':
            from PIL import Image

            Image.fromarray(numbered_frame(1)).save(path, format='jpeg')
        case 'sound':
            return write_sound(path)
        case 'no frame':
            return write_video(path.with_suffix('.mkv'), 0)
        case 'no header':
            write_video(path, 40)
            path.write_bytes(path.read_bytes()[:3000])  # MP4 keeps its table at the end
    return path


FAULTS = {
    'missing': 'no video at',
    'folder': 'is a folder',
    'empty': '0 bytes',
    'text': 'cannot open video|is not a video',
    'picture': 'is not a video|cannot open video',
    'sound': 'no video stream',
    'no frame': 'holds no frame|no video stream|cannot open video',
    'no header': 'cannot open video',
}


@pytest.mark.parametrize('kind', FAULTS)
def test_a_fault_is_one_sentence_that_names_the_file(tmp_path, kind):
    path = make_fault(kind, tmp_path)
    with pytest.raises(BadSample, match=FAULTS[kind]) as error:
        open_video(path)
    assert str(path) in str(error.value) and '\n' not in str(error.value)


@pytest.mark.parametrize('name', ['a.mp4', 'a.mkv'])
def test_a_video_that_was_cut_short_gives_the_frames_it_has(tmp_path, name, log_lines):
    whole = write_video(tmp_path / name, 60)
    if name.endswith('mp4'):
        import av

        front = tmp_path / 'front.mp4'  # the table first, so that a cut file still opens
        with av.open(str(whole)) as source, av.open(str(front), 'w', options={'movflags': '+faststart'}) as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    target.mux(packet)
        whole = front
    right = decode_all(whole)
    cut = tmp_path / f'cut_{name}'
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.7)])
    reader = open_video(cut)
    assert 15 < reader.num_frames < 55
    frames, num_missing = reader.frames(range(reader.num_frames - 8))
    assert num_missing == 0 and all(map(np.array_equal, frames, right))
    last, _ = reader.frames([reader.num_frames - 1])
    assert last[0].shape == (SIZE, SIZE, 3)
    if name.endswith('mp4'):
        open_video(cut)
        assert sum('announces 60 frames' in line and str(cut) in line for line in log_lines) == 1


def test_damaged_frames_are_replaced_by_the_last_good_one(tmp_path):
    reader = open_video(damage(write_video(tmp_path / 'a.mp4', 60, gop=10), 40))
    assert reader.num_frames == 60
    assert [number_of(frame) for frame in reader.frames([5, 25])[0]] == [5, 25]
    frames, num_missing = reader.frames([20, 58])
    assert num_missing == 1 and number_of(frames[0]) == 20 and 30 <= number_of(frames[1]) <= 45


def test_packets_that_begin_behind_the_wanted_frame_are_refused():
    """A negative place in the list of packets would be a frame from its end."""

    class Packets:
        def seek(self, offset, stream):
            pass

        def demux(self, stream):
            for number in range(4, 12):
                yield SimpleNamespace(size=1, is_corrupt=False, pts=number, dts=number, is_keyframe=number % 4 == 0)

    index = SampleTableIndex(Packets(), SimpleNamespace(frames=12), [(number, number % 4 == 0) for number in range(12)])
    assert [number_of for _, number_of in index.runs(np.array([5]))] == [{5: 5}]
    with pytest.raises(LookupError, match='the packets begin at number 4, after frame 3'):
        list(index.runs(np.array([3])))
