"""Random late clips of long videos to RGB frames: ours beside mmaction2's PyAV transforms and decord2, same frames, same threads.

    pip install --target /tmp/decord2 --no-deps decord2
    python benchmarks/clip_decoding.py --decord2 /tmp/decord2 --json benchmarks/reports/clip_decoding.json
    python benchmarks/clip_decoding.py --videos ../shared/data/video_misc/*.mp4

Without `--videos` the script writes its own: H.264 at 320 x 240, 30 frames a second, a keyframe every 2, 5 and 10 seconds,
moving blocks with noise. A clip is `--frames` frames, stride 2, that begins in the second half of the video. Every decoder opens
the file anew for every clip, as a data loader does. Contestants:

    ours       `florence.datasets.video.open_video` and `frames`
    mmaction2  `PyAVInit` and `PyAVDecode` in its default mode, 'accurate'
    decord2    `VideoReader(path)` and `get_batch`, or decord where the folder is not given

All must give the same pixels as decoding with PyAV from the first frame, else the script ends with an error; decord's own
conversion to RGB may differ by `--tolerance` grey levels. `ms` is the median over the clips of the CPU time with one thread, in
turns; of each clip the minimum over `--repeats` runs counts. Ratios are the peer's median over ours: above 1, ours is faster.
"""

import argparse
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from reporting import hardware, publish

import florence  # noqa: F401  (it mends mmaction2)
from florence.datasets.video import open_video

Decode = Callable[[str, np.ndarray], list[np.ndarray]]
KEYFRAME_SECONDS = (2, 5, 10)
FRAME_RATE = 30


def write_video(path: Path, seconds: int, keyframe_seconds: int) -> None:
    """Blocks that drift over a ground with noise, so that frames differ and B-frames pay."""
    rng = np.random.default_rng(keyframe_seconds)
    ground = rng.integers(0, 256, (30, 40, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    noise = rng.integers(0, 16, (4, 240, 320, 3), np.uint8)
    with av.open(str(path), 'w') as file:
        stream = file.add_stream('libx264', rate=FRAME_RATE, options={'preset': 'veryfast', 'crf': '26', 'sc_threshold': '0'})
        stream.width, stream.height, stream.pix_fmt = 320, 240, 'yuv420p'
        stream.gop_size = keyframe_seconds * FRAME_RATE
        for number in range(seconds * FRAME_RATE):
            image = np.roll(ground, (number // 2, number), (0, 1)) // 2 + 32 + noise[number % 4]
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        file.mux(stream.encode())


def ours(path: str, numbers: np.ndarray) -> list[np.ndarray]:
    reader = open_video(path)
    frames, num_missing = reader.frames(numbers)
    reader.close()
    assert num_missing == 0
    return frames


def mmaction2() -> Decode:
    from mmaction.datasets.transforms import PyAVDecode, PyAVInit

    opened, decoded = PyAVInit(), PyAVDecode()
    return lambda path, numbers: decoded(dict(opened(dict(filename=path)), frame_inds=numbers))['imgs']


def decord() -> Decode:
    from decord import VideoReader

    return lambda path, numbers: list(VideoReader(path, num_threads=1).get_batch(numbers).asnumpy())


def sequential(path: str, numbers: np.ndarray) -> list[np.ndarray]:
    """The frames, decoded from the first one."""
    wanted, found = set(numbers.tolist()), {}
    with av.open(path) as file:
        for number, frame in enumerate(file.decode(video=0)):
            if number in wanted:
                found[number] = frame.to_rgb().to_ndarray()
            if number == numbers[-1]:
                break
    return [found[number] for number in numbers.tolist()]


def draw_clips(videos: list[str], args: argparse.Namespace) -> list[tuple[str, np.ndarray]]:
    rng = np.random.default_rng(args.seed)
    clips = []
    for path in videos:
        num_frames = open_video(path).num_frames
        last_start = num_frames - 2 * (args.frames - 1) - 1
        if last_start < num_frames // 2:
            raise SystemExit(f'error: {path} has {num_frames} frames, too few for a late clip of {args.frames} with stride 2')
        starts = rng.integers(num_frames // 2, last_start + 1, args.clips)
        clips += [(path, start + 2 * np.arange(args.frames)) for start in starts]
    return clips


def check(clips: list[tuple[str, np.ndarray]], contestants: dict[str, Decode], tolerance: int) -> dict[str, int]:
    """Largest difference of a pixel from sequential decoding, by contestant."""
    largest = dict.fromkeys(contestants, 0)
    for path, numbers in clips:
        right = np.stack(sequential(path, numbers)).astype(np.int16)
        for name, decode in contestants.items():
            largest[name] = max(largest[name], int(np.abs(np.stack(decode(path, numbers)) - right).max()))
    allowed = {'decord2': tolerance}
    wrong = {name: own for name, own in largest.items() if own > allowed.get(name, 0)}
    if wrong:
        raise SystemExit(f'error: the pixels differ from sequential decoding, the comparison is void: {wrong}')
    return largest


def measure(clips: list[tuple[str, np.ndarray]], contestants: dict[str, Decode], repeats: int) -> dict[str, list[float]]:
    """CPU milliseconds of each clip, by contestant."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for path, numbers in clips:
        best = dict.fromkeys(contestants, float('inf'))
        for _ in range(repeats):
            for name, decode in contestants.items():
                start = time.process_time()
                decode(path, numbers)
                best[name] = min(best[name], 1000 * (time.process_time() - start))
        for name, own in best.items():
            taken[name].append(own)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--videos', nargs='+', default=[], help='these instead of videos of our own')
    parser.add_argument('--seconds', type=int, default=120, help='length of the videos of our own')
    parser.add_argument('--clips', type=int, default=5, help='clips of each video')
    parser.add_argument('--frames', type=int, default=32)
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--tolerance', type=int, default=3)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--decord2', type=Path, help='folder where decord2 was installed')
    parser.add_argument('--json', type=Path, help='also write the result here')
    args = parser.parse_args()
    if args.decord2:
        if not (args.decord2 / 'decord').is_dir():
            raise SystemExit(f'error: no decord in {args.decord2}')
        sys.path.insert(0, str(args.decord2))
    contestants: dict[str, Decode] = {'ours': ours, 'mmaction2': mmaction2(), 'decord2': decord()}
    with tempfile.TemporaryDirectory() as folder:
        videos = args.videos
        if not videos:
            videos = [str(Path(folder, f'keyframe_every_{seconds}s.mp4')) for seconds in KEYFRAME_SECONDS]
            for path, seconds in zip(videos, KEYFRAME_SECONDS, strict=True):
                write_video(Path(path), args.seconds, seconds)
        clips = draw_clips(videos, args)
        largest = check(clips, contestants, args.tolerance)
        taken = measure(clips, contestants, args.repeats)
    medians = {name: statistics.median(own) for name, own in taken.items()}
    by_video = {
        Path(path).name: {
            name: round(statistics.median(ms for (own, _), ms in zip(clips, taken[name], strict=True) if own == path), 2)
            for name in contestants
        }
        for path in videos
    }
    import decord as decord_package

    report = {
        'benchmark': 'clip_decoding',
        'ratio': {name: round(medians[name] / medians['ours'], 2) for name in contestants if name != 'ours'},
        'ms': {name: round(own, 2) for name, own in medians.items()},
        'ms_by_video': by_video,
        'largest_pixel_difference': largest,
        **{key: getattr(args, key) for key in ('seconds', 'clips', 'frames', 'repeats')},
        'threads': 1,
        'versions': {'av': av.__version__, 'decord': decord_package.__version__, 'python': platform.python_version()},
        'hardware': hardware(),
    }
    publish(report, args.json)


if __name__ == '__main__':
    main()
