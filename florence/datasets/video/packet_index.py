"""Which frames a video holds, when each is shown and where decoding may begin: read from all its packets, nothing is decoded.

A packet of most containers says when its frame is shown, so the order of those times is the order of the frames, and a wanted
frame can be decoded from the keyframe before it. Some containers (AVI, bare streams) do not know these times and FFmpeg guesses
them, some codecs (VP8) have packets that show nothing: there frames are counted by decoding from the first one.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

CONTAINERS_WITH_TIMES = frozenset({'flv', 'matroska,webm', 'mov,mp4,m4a,3gp,3g2,mj2', 'mpegts'})
CODECS_WITH_HIDDEN_FRAMES = frozenset({'vp8'})
MIN_SKIP = 8
"""Frames that a seek must save: it also empties the decoder."""


def split_at_keyframes(wanted: np.ndarray, key_numbers: np.ndarray) -> list[np.ndarray]:
    """Groups of frames that are decoded in one go.

    Args:
        wanted: Numbers of frames, rising.
        key_numbers: For each of them, the number of the frame where decoding it may begin.
    """
    is_new = (key_numbers[1:] > key_numbers[:-1]) & (key_numbers[1:] - wanted[:-1] > MIN_SKIP)
    return np.split(wanted, np.flatnonzero(is_new) + 1)


class PacketIndex:
    """Index of one video stream; reads all its packets once.

    Args:
        container: `av.container.InputContainer`, at its beginning.
        stream: A video stream of it.

    Attributes:
        num_frames: Packets that hold a frame.
        announced: Frames that the header speaks of, `num_frames` where it does not.
        can_seek: Whether `runs` may be asked.
    """

    def __init__(self, container: Any, stream: Any) -> None:
        from av.error import FFmpegError

        shown, keys, num_packets = [], [], 0
        try:
            for packet in container.demux(stream):
                if packet.size == 0 or packet.is_corrupt:  # the end; the last one of a file that was cut short
                    continue
                num_packets += 1
                if packet.is_keyframe:
                    keys.append(packet.pts)
                if not packet.is_discard:  # an edit list may leave frames out
                    shown.append(packet.pts)
        except FFmpegError:  # what was read so far is what there is
            pass
        name, codec = container.format.name, stream.codec_context.name
        self.num_frames = len(shown)
        self.announced = stream.frames if stream.frames > num_packets else self.num_frames
        has_times = name in CONTAINERS_WITH_TIMES and codec not in CODECS_WITH_HIDDEN_FRAMES
        self.can_seek = bool(has_times and keys and None not in shown and None not in keys and len(set(shown)) == len(shown))
        self._pts = np.sort(np.array(shown if self.can_seek else [], np.int64))
        self._keys = np.sort(np.array(keys if self.can_seek else [], np.int64))
        self._time_base = float(stream.time_base)
        self._rate = float(stream.average_rate or stream.guessed_rate or 1)

    def times(self) -> np.ndarray:
        """When each frame is shown, seconds after the first one, `(num_frames,)` float64."""
        if not self.can_seek:
            return np.arange(self.num_frames) / self._rate
        return (self._pts - self._pts[0]) * self._time_base

    def runs(self, wanted: np.ndarray) -> Iterator[tuple[int, dict[int, int]]]:
        """What to decode for some frames.

        Args:
            wanted: Numbers of frames, rising.

        Returns:
            For each group of frames that is decoded in one go, the time stamp of the keyframe to begin at, and the number of each
            wanted frame by its time stamp.
        """
        own_key = np.maximum(np.searchsorted(self._keys, self._pts[wanted], side='right') - 1, 0)
        key_of = dict(zip(wanted.tolist(), self._keys[own_key].tolist(), strict=True))
        for run in split_at_keyframes(wanted, np.searchsorted(self._pts, self._keys[own_key])):
            yield key_of[int(run[0])], dict(zip(self._pts[run].tolist(), run.tolist(), strict=True))
