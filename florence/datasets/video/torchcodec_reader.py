"""Frames of a video by torchcodec: one optional backend of `open_video`, for installations where it loads."""

from collections.abc import Sequence

import numpy as np

from florence.datasets.bad_samples import BadSample
from florence.datasets.video.video_reader import fill_in, require_file


class TorchcodecReader:
    """A `VideoReader` by torchcodec; seeks exactly, does not tell when all frames are shown without decoding them.

    Args:
        path: The file.
        num_threads: Threads of the decoder.

    Raises:
        ImportError: If torchcodec is not installed, or does not load beside this torch and FFmpeg.
        BadSample: If the file is missing or cannot be read as a video.
    """

    times = None

    def __init__(self, path: str, num_threads: int = 1) -> None:
        try:
            from torchcodec.decoders import VideoDecoder
        except (ImportError, OSError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ImportError(f"backend 'torchcodec' needs torchcodec and FFmpeg's libraries: {reason}") from error
        self.path = str(path)
        require_file(self.path)
        try:
            self._video = VideoDecoder(
                self.path, dimension_order='NHWC', num_ffmpeg_threads=num_threads, device='cpu', seek_mode='exact'
            )
        except (ValueError, RuntimeError) as error:
            raise BadSample(f'cannot open video {self.path}: {str(error).strip().splitlines()[0]}') from error
        self.num_frames = len(self._video)
        if self.num_frames == 0:
            raise BadSample(f'video {self.path} holds no frame')
        self.frame_rate = float(self._video.metadata.average_fps or 1)

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
            batch = self._video.get_frames_at(indices=numbers).data.numpy()
        except (IndexError, RuntimeError) as error:
            raise BadSample(f'cannot decode video {self.path}: {str(error).strip().splitlines()[0]}') from error
        return fill_in(dict(zip(numbers, batch, strict=True)), indices, self.path)

    def close(self) -> None:
        """Give the file back."""
        self._video = None
