"""What every video decoder of ours offers, and the faults that all of them name alike."""

import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from mmengine.logging import print_log

from florence.datasets.bad_samples import BadSample


class VideoReader(Protocol):
    """An open video. Frames are numbered from 0 in the order in which they are shown.

    Attributes:
        path: The file.
        num_frames: Frames in the file, at least 1.
        frame_rate: Mean frames per second, above 0.
        times: When each frame is shown, seconds after the first one, `(num_frames,)` float64; None where the decoder does not
            tell.
    """

    path: str
    num_frames: int
    frame_rate: float
    times: np.ndarray | None

    def frames(self, indices: Sequence[int]) -> tuple[list[np.ndarray], int]:
        """Decode the wanted frames, as a person would see them: rotated as the file says.

        Args:
            indices: Numbers of frames in `[0, num_frames)`, in any order, also several times.

        Returns:
            One `(H, W, 3)` uint8 RGB array for each index, each its own memory; and how many of the indices the file announces
            but does not hold: the last frame that exists stands in for each of those.

        Raises:
            BadSample: If no frame can be decoded.
        """

    def close(self) -> None:
        """Give the file back."""


def require_file(path: str) -> None:
    """Refuse what cannot be a video before a decoder words it in its own way.

    Raises:
        BadSample: If there is no file at `path`, or it is empty.
    """
    file = Path(path)
    if not file.is_file():
        raise BadSample(f'video {path} is a folder, not a file' if file.is_dir() else f'no video at {path}')
    if file.stat().st_size == 0:
        raise BadSample(f'video {path} is empty: 0 bytes')


def fill_in(found: dict[int, np.ndarray], indices: Sequence[int], path: str) -> tuple[list[np.ndarray], int]:
    """Frames in the order of `indices`; the last one before it stands in for a frame that does not exist.

    Args:
        found: Decoded frames by number.
        indices: The wanted numbers.
        path: The file, for the message.

    Returns:
        The frames, each its own memory, because transforms change frames in place; and how many stood in.

    Raises:
        BadSample: If there is no frame at all.
    """
    if not found:
        raise BadSample(f'no frame of video {path} can be decoded')
    numbers = np.array(sorted(found))
    frames, given, num_missing = [], set(), 0
    for index in map(int, indices):
        number = index
        if index not in found:
            number = int(numbers[max(np.searchsorted(numbers, index) - 1, 0)])
            num_missing += 1
        frames.append(found[number].copy() if number in given else found[number])
        given.add(number)
    return frames, num_missing


@lru_cache(maxsize=4096)
def say_once(message: str) -> None:
    """Log a warning, each one once in this process."""
    print_log(message, logger='current', level=logging.WARNING)
