"""One way to open a video, whichever package decodes it."""

from collections.abc import Callable

from florence.datasets.video.decord_reader import DecordReader
from florence.datasets.video.opencv_reader import OpenCVReader
from florence.datasets.video.pyav_reader import PyAVReader
from florence.datasets.video.torchcodec_reader import TorchcodecReader
from florence.datasets.video.video_reader import VideoReader

BACKENDS: dict[str, Callable[[str, int], VideoReader]] = {
    'pyav': PyAVReader,
    'decord': DecordReader,
    'opencv': OpenCVReader,
    'torchcodec': TorchcodecReader,
}


def require_backend(backend: str) -> None:
    """Refuse an unknown decoder.

    Raises:
        KeyError: If it is none of `BACKENDS`.
    """
    if backend not in BACKENDS:
        raise KeyError(f'no video backend named {backend!r}; known: {", ".join(BACKENDS)}')


def open_video(path: str, backend: str = 'pyav', num_threads: int = 1) -> VideoReader:
    """Open a video.

    Args:
        path: The file.
        backend: A key of `BACKENDS`. `'pyav'` is the reference: exact with every file, turned as the file says, tells the time of
            each frame.
        num_threads: Threads of the decoder.

    Raises:
        KeyError: If the backend is unknown.
        ImportError: If its package is not installed.
        BadSample: If the file is missing, no video, or holds no frame; a `ValueError` that names it.
    """
    require_backend(backend)
    return BACKENDS[backend](str(path), num_threads)
