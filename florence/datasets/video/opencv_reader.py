"""Frames of a video by OpenCV: one optional backend of `open_video`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from florence.datasets.bad_samples import BadSample
from florence.datasets.video.video_reader import fill_in, require_file


class OpenCVReader:
    """A `VideoReader` by OpenCV. It decodes from the first frame, because OpenCV's seeking is not exact, and converts only the
    wanted frames. `num_frames` is what the header says; OpenCV does not tell when frames are shown.

    Args:
        path: The file.
        num_threads: Threads of the decoder.

    Raises:
        ImportError: If OpenCV is not installed.
        BadSample: If the file is missing or cannot be read as a video.
    """

    times = None

    def __init__(self, path: str, num_threads: int = 1) -> None:
        self._num_threads = num_threads
        self.path = str(path)
        require_file(self.path)
        video = self._open()
        import cv2

        self.num_frames = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        self.frame_rate = float(video.get(cv2.CAP_PROP_FPS)) or 1.0
        video.release()
        if self.num_frames <= 0:
            raise BadSample(f'video {self.path} holds no frame, or its header does not say how many')

    def _open(self) -> Any:
        try:
            import cv2
        except ImportError as error:
            raise ImportError("backend 'opencv' needs OpenCV: install it with `pip install opencv-python-headless`") from error
        video = cv2.VideoCapture(self.path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, self._num_threads])
        if not video.isOpened():
            raise BadSample(f'OpenCV cannot open video {self.path}')
        return video

    def frames(self, indices: Sequence[int]) -> tuple[list[np.ndarray], int]:
        """The wanted frames; see `VideoReader.frames`.

        Args:
            indices: Numbers of frames in `[0, num_frames)`.

        Raises:
            BadSample: If no frame can be decoded.
        """
        wanted = {int(index) for index in indices}
        if not wanted:
            return [], 0
        found, count = self._decoded(wanted)
        if 0 < count <= max(wanted):  # the header announces more: the last frame that exists stands in
            found, _ = self._decoded(wanted | {count - 1})
        return fill_in(found, indices, self.path)

    def _decoded(self, wanted: set[int]) -> tuple[dict[int, np.ndarray], int]:
        """The wanted frames by number, and how many frames were passed until the last of them, or until the end."""
        import cv2

        video, found = self._open(), {}
        for number in range(max(wanted) + 1):
            if not video.grab():
                break
            if number in wanted:
                found[number] = cv2.cvtColor(video.retrieve()[1], cv2.COLOR_BGR2RGB)
        else:
            number += 1
        video.release()
        return found, number

    def close(self) -> None:
        """Nothing stays open between calls."""
