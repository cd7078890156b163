"""Exact frames of a video by PyAV (FFmpeg): seek to the keyframe before a wanted frame, convert only the wanted ones to RGB.

The frames are those of decoding from the first one, pixel by pixel. Differs from mmaction2's `PyAVDecode` in: it does not decode
from the start, turns frames as the file says, counts frames by its packets instead of trusting the header, and gives a frame that
is asked for twice as two arrays.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmengine.logging import print_log

from florence.datasets.bad_samples import BadSample
from florence.datasets.video.display_matrix import upright
from florence.datasets.video.packet_index import PacketIndex
from florence.datasets.video.sample_table_index import SampleTableIndex, sample_table
from florence.datasets.video.video_reader import fill_in, require_file, say_once

CODECS_WITH_MARKED_REFERENCES = frozenset({'h264'})
"""Every frame says whether another one is predicted from it; a frame that is neither wanted nor needed is not decoded."""


class PyAVReader:
    """A `VideoReader` by PyAV. The container decides by its content: the ending of the file's name does not matter.

    Args:
        path: The file.
        num_threads: Threads of the decoder; the workers of a data loader want one each.

    Raises:
        ImportError: If PyAV is not installed.
        BadSample: If the file is missing, no video, or has no video stream or no frame.
    """

    def __init__(self, path: str, num_threads: int = 1) -> None:
        self.path = str(path)
        require_file(self.path)
        self._num_threads = num_threads
        self._container, self._stream = self._open()
        table = sample_table(self._container, self._stream, self.path)
        self._index = (
            PacketIndex(self._container, self._stream)
            if table is None
            else SampleTableIndex(self._container, self._stream, table)
        )
        self.num_frames = self._index.num_frames
        if self.num_frames == 0:
            raise BadSample(f'video {self.path} holds no frame')
        if self._index.announced > self.num_frames:
            say_once(
                f'video {self.path} announces {self._index.announced} frames and holds {self.num_frames}, it was probably cut '
                f'short: these are used'
            )
        self.frame_rate = float(self._stream.average_rate or self._stream.guessed_rate or 1)

    @property
    def times(self) -> np.ndarray:
        """When each frame is shown, seconds after the first one, `(num_frames,)` float64."""
        return self._index.times()

    def _open(self) -> tuple[Any, Any]:
        try:
            import av
        except ImportError as error:
            raise ImportError('PyAV decodes videos: install it with `pip install av`, or name another backend') from error
        try:
            container = av.open(self.path)
        except av.error.FFmpegError as error:
            raise BadSample(f'cannot open video {self.path}: {error.strerror or error}') from error
        if container.format.name.endswith('_pipe') or container.format.name in ('image2', 'tty'):
            raise BadSample(f'{self.path} is not a video, its content is that of {container.format.long_name}')
        streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
        if not streams:
            raise BadSample(f'{self.path} has no video stream')
        stream = streams[0]
        if stream.codec_context is None:
            raise BadSample(f'no decoder for the video stream of {self.path}')
        stream.codec_context.thread_count = self._num_threads
        stream.codec_context.thread_type = 'AUTO'
        return container, stream

    def frames(self, indices: Sequence[int]) -> tuple[list[np.ndarray], int]:
        """The wanted frames; see `VideoReader.frames`.

        Args:
            indices: Numbers of frames in `[0, num_frames)`.

        Raises:
            BadSample: If no frame can be decoded.
            IndexError: If an index is out of range.
        """
        wanted = np.unique(np.asarray(indices, np.int64))
        if len(wanted) == 0:
            return [], 0
        if wanted[0] < 0 or wanted[-1] >= self.num_frames:
            raise IndexError(f'frames {wanted[0]} to {wanted[-1]} of video {self.path}, which has {self.num_frames}')
        found = self._by_seeking(wanted) if self._index.can_seek else None
        return fill_in(self._by_counting(wanted) if found is None else found, indices, self.path)

    def _by_seeking(self, wanted: np.ndarray) -> dict[int, np.ndarray] | None:
        """The frames by number, each decoded from the keyframe before it; None where one of them does not come."""
        from av.error import FFmpegError

        found: dict[int, np.ndarray] = {}
        try:
            for key_pts, number_of in self._index.runs(wanted):
                found |= self._one_run(key_pts, number_of)
        except (LookupError, FFmpegError):
            return None
        return found

    def _one_run(self, key_pts: int, number_of: dict[int, int]) -> dict[int, np.ndarray]:
        """Frames that are decoded in one go.

        Raises:
            LookupError: If one of them does not come, or the time stamps are not those of the frames.
        """
        found, last_pts, missing = {}, None, dict(number_of)
        for frame in self._decoded_from(key_pts, number_of):
            if last_pts is not None and frame.pts <= last_pts:
                raise LookupError(f'time stamp {frame.pts} after {last_pts}')
            last_pts = frame.pts
            if frame.pts in missing:
                found[missing.pop(frame.pts)] = self._to_rgb(frame)
            if not missing:
                return found
        raise LookupError(f'{len(missing)} frames did not come')

    def _decoded_from(self, key_pts: int, number_of: dict[int, int]) -> Iterator[Any]:
        """Decoded frames in the order in which they are shown, from the keyframe at or before `key_pts`.

        Raises:
            LookupError: If decoding cannot begin at that keyframe.
        """
        from av.video.frame import PictureType

        first_wanted, start, is_sound = min(number_of), None, False
        codec = self._stream.codec_context
        may_skip = codec.name in CODECS_WITH_MARKED_REFERENCES
        self._container.seek(key_pts, stream=self._stream)
        for packet in self._packets(self._container, self._stream):
            if start is None and packet.size:
                if not packet.is_keyframe:
                    continue
                start = packet.pts
                if start > first_wanted:
                    return
            if may_skip:
                codec.skip_frame = 'DEFAULT' if packet.pts is None or packet.pts in number_of else 'NONREF'
            for frame in self._decode(packet):
                if frame.pts is None or start is None:
                    raise LookupError('a frame without time stamp')
                # With periodic intra refresh a picture is whole only some frames after its "keyframe".
                if not is_sound and frame.pts >= start:
                    if frame.pts > start or frame.pict_type != PictureType.I:
                        raise LookupError('decoding cannot begin here')
                    is_sound = True
                if is_sound:
                    yield frame

    def _by_counting(self, wanted: np.ndarray) -> dict[int, np.ndarray]:
        """The frames by number, decoded from the first one; with the last one that exists where one is missing."""
        container, stream = self._open()
        numbers, found, frame, number = set(wanted.tolist()), {}, None, -1
        for packet in self._packets(container, stream):
            for frame in self._decode(packet):
                number += 1
                if number in numbers:
                    found[number] = self._to_rgb(frame)
            if number >= wanted[-1]:
                break
        if frame is not None and number < wanted[-1]:
            found[number] = self._to_rgb(frame)
        container.close()
        return found

    def _packets(self, container: Any, stream: Any) -> Iterator[Any]:
        from av.error import FFmpegError

        try:
            yield from container.demux(stream)
        except FFmpegError as error:
            self._say_broken(error)

    def _decode(self, packet: Any) -> list[Any]:
        from av.error import FFmpegError

        try:
            return packet.decode()
        except FFmpegError as error:
            self._say_broken(error)
            return []

    def _say_broken(self, error: Exception) -> None:
        print_log(f'video {self.path}: {error}', logger='current', level=logging.DEBUG)

    def _to_rgb(self, frame: Any) -> np.ndarray:
        rgb = frame.to_ndarray(format='rgb24', threads=self._num_threads)
        matrix = frame.side_data.get('DISPLAYMATRIX')
        change = None if matrix is None else upright(bytes(matrix))
        return rgb if change is None else change(rgb)

    def close(self) -> None:
        """Give the file back."""
        self._container.close()
