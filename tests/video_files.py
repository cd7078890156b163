"""Small videos for tests, written with PyAV: every frame tells its number."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

SIZE = 64


def numbered_frame(number: int, height: int = SIZE, width: int = SIZE) -> np.ndarray:
    """Blocks of grey whose pattern is the number in binary (two rows of 4 bits), over a moving gradient."""
    image = np.zeros((height, width, 3), np.uint8)
    for bit in range(8):
        top, left = (bit // 4) * height // 2, (bit % 4) * width // 4
        image[top : top + height // 2, left : left + width // 4] = 220 if number >> bit & 1 else 30
    image[:, :, 2] = np.clip(image[:, :, 2].astype(int) + (np.arange(width) + 3 * number) % 24, 0, 255)
    return image


def number_of(frame: np.ndarray) -> int:
    """The number that `numbered_frame` wrote."""
    height, width = frame.shape[:2]
    cells = [
        frame[(bit // 4) * height // 2 :, (bit % 4) * width // 4 :][4 : height // 2 - 4, 4 : width // 4 - 4, :2].mean()
        for bit in range(8)
    ]
    return sum(1 << bit for bit, mean in enumerate(cells) if mean > 125)


def write_video(
    path: Path,
    num_frames: int,
    *,
    codec: str = 'libx264',
    gop: int = 12,
    options: dict[str, str] | None = None,
    times: Sequence[Fraction] | None = None,
    rate: int = 10,
    size: tuple[int, int] = (SIZE, SIZE),
) -> Path:
    """A video of `num_frames` numbered frames.

    Args:
        path: Its ending chooses the container.
        num_frames: At most 256.
        codec: FFmpeg's name of the encoder.
        gop: Frames from one keyframe to the next.
        options: Of the encoder.
        times: When each frame is shown, seconds; None = `rate` frames a second.
        rate: Frames per second.
        size: `(height, width)`, pixels.
    """
    import av

    with av.open(str(path), 'w') as file:
        stream = file.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = size
        stream.pix_fmt, stream.gop_size = 'yuv420p', gop
        if times is not None:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        if num_frames == 0:
            file.start_encoding()  # else there would be no file
        for number in range(num_frames):
            frame = av.VideoFrame.from_ndarray(numbered_frame(number, *size))
            if times is not None:
                frame.pts, frame.time_base = int(times[number] * 1000), Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def write_sound(path: Path) -> Path:
    """Half a second of silence, without a picture."""
    import av

    with av.open(str(path), 'w') as file:
        stream = file.add_stream('aac', rate=16000, layout='mono')
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format='fltp', layout='mono')
        frame.sample_rate = 16000
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def turn(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """Write the display matrix of an MP4 file: a stored pixel (x, y) is shown at (a x + c y, b x + d y)."""
    content = bytearray(path.read_bytes())
    identity = np.array([1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30], '>i4').tobytes()
    place = content.index(identity, content.index(b'tkhd'))
    content[place : place + 36] = np.array([a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30], '>i4').tobytes()
    path.write_bytes(content)
    return path


def damage(path: Path, first: int) -> Path:
    """Empty the packets of an MP4 file from number `first` on."""
    import av

    with av.open(str(path)) as file:
        places = sorted((entry.pos, entry.size) for entry in file.streams.video[0].index_entries)
    content = bytearray(path.read_bytes())
    for place, size in places[first:]:
        content[place : place + size] = bytes(size)
    path.write_bytes(content)
    return path


def decode_all(path: Path) -> list[np.ndarray]:
    """Every frame, decoded from the first one."""
    import av

    with av.open(str(path)) as file:
        return [frame.to_rgb().to_ndarray() for frame in file.decode(video=0)]
