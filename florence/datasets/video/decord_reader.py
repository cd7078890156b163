"""Frames of a video by decord2, or its unmaintained predecessor decord: one optional backend of `open_video`."""

from collections.abc import Sequence

import numpy as np

from florence.datasets.bad_samples import BadSample
from florence.datasets.video.video_reader import fill_in, require_file


class DecordReader:
    """A `VideoReader` by decord2; seeks exactly, reads all packets when it opens a video. A video that is to be turned by 90
    degrees is a bad sample: decord cannot decode it.

    Args:
        path: The file.
        num_threads: Threads of the decoder, 0 = as many as it likes.

    Raises:
        ImportError: If decord2 is not installed.
        BadSample: If the file is missing or cannot be read as a video.
    """

    def __init__(self, path: str, num_threads: int = 1) -> None:
        try:
            import decord
        except ImportError as error:
            raise ImportError("backend 'decord' needs decord2: install it with `pip install decord2`") from error
        self.path = str(path)
        require_file(self.path)
        self._error = decord.DECORDError
        try:
            self._video = decord.VideoReader(self.path, num_threads=num_threads)
        except (self._error, RuntimeError) as error:
            raise BadSample(f'cannot open video {self.path}: {str(error).strip().splitlines()[-1]}') from error
        self.num_frames = len(self._video)
        if self.num_frames == 0:
            raise BadSample(f'video {self.path} holds no frame')
        self.frame_rate = float(self._video.get_avg_fps())

    @property
    def times(self) -> np.ndarray:
        """When each frame is shown, seconds after the first one, `(num_frames,)` float64."""
        starts = self._video.get_frame_timestamp(list(range(self.num_frames)))[:, 0].astype(np.float64)
        return starts - starts[0]

    def frames(self, indices: Sequence[int]) -> tuple[list[np.ndarray], int]:
        """The wanted frames; see `VideoReader.frames`.

        Args:
            indices: Numbers of frames in `[0, num_frames)`.

        Raises:
            BadSample: If a frame cannot be decoded.
        """
        numbers = sorted({int(index) for index in indices})
        if not numbers:
            return [], 0
        try:
            batch = self._video.get_batch(numbers).asnumpy()
        except (self._error, RuntimeError) as error:
            raise BadSample(f'cannot decode video {self.path}: {str(error).strip().splitlines()[-1]}') from error
        return fill_in(dict(zip(numbers, batch, strict=True)), indices, self.path)

    def close(self) -> None:
        """Give the file back."""
        self._video = None
