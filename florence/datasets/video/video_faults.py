"""Whether a video can be used, found out by the steps that a pipeline takes."""

import numpy as np

from florence.datasets.bad_samples import BadSample
from florence.datasets.transforms.decode_video import DecodeVideo
from florence.datasets.transforms.open_video import OpenVideo


def fault_of(path: str, backend: str = 'pyav') -> str | None:
    """Why a video is bad, one sentence; None where its first, middle and last frame can be decoded.

    Args:
        path: The file.
        backend: See `florence.datasets.video.open_video`.

    Raises:
        ImportError: If the backend's package is not installed.
        KeyError: If the backend is unknown.
    """
    open_video = OpenVideo(backend)
    try:
        results = open_video({'filename': path})
        last = results['total_frames'] - 1
        num_missing = DecodeVideo()({**results, 'frame_inds': np.unique([0, last // 2, last])})['num_missing_frames']
    except BadSample as error:
        return str(error)
    # What a decoder raises about a file differs by decoder; a training would end on it.
    except (LookupError, OSError, RuntimeError, ValueError) as error:
        return f'video {path} cannot be read: {type(error).__name__} {error}'
    return f'{num_missing} of the first, middle and last frame of video {path} cannot be decoded' if num_missing else None
