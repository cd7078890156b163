"""Which frames of a video make a clip: numbers of frames from its length, nothing is read.

Same numbers, from the same random generator, as mmaction2's `SampleFrames` ('dense': frames at a fixed interval) and
`UniformSample` ('uniform': one frame from each of equally long segments, TSN, arXiv 1608.00859). Differs in: several uniform
clips are also drawn in training, where mmaction2 gives one and says several.
"""

import numpy as np


def dense_starts(num_frames: int, span: int, num_clips: int) -> np.ndarray:
    """Random first frames of clips, one in each of `num_clips` equal parts of the video; training.

    Args:
        num_frames: Frames of the video.
        span: `clip_len * frame_interval`.
        num_clips: How many.

    Returns:
        `(num_clips,)` int64; all 0 where the video is shorter than a clip.
    """
    room = num_frames - span + 1
    part = room // num_clips
    if part > 0:
        return np.arange(num_clips) * part + np.random.randint(part, size=num_clips)
    if num_frames > max(num_clips, span):
        return np.sort(np.random.randint(room, size=num_clips))
    if part == 0:
        return np.around(np.arange(num_clips) * (room / num_clips)).astype(np.int64)
    return np.zeros(num_clips, np.int64)


def even_starts(num_frames: int, clip_len: int, frame_interval: int, num_clips: int) -> np.ndarray:
    """First frames of clips spread evenly from the beginning to the end of the video; evaluation.

    A single clip lies in the middle; clips of one frame are the middles of equal segments.

    Args:
        num_frames: Frames of the video.
        clip_len: Frames of a clip.
        frame_interval: Frames from one frame of a clip to the next.
        num_clips: How many.

    Returns:
        `(num_clips,)` int64; all 0 where the video is shorter than a clip.
    """
    if clip_len == 1:
        segment = num_frames / num_clips
        return (np.arange(num_clips) * segment + segment / 2).astype(np.int64)
    room = max(num_frames - (clip_len - 1) * frame_interval - 1, 0)
    if num_clips == 1:
        return np.array([room // 2])
    return np.round(np.arange(num_clips) * (room / (num_clips - 1))).astype(np.int64)


def within(numbers: np.ndarray, num_frames: int, out_of_bound: str) -> np.ndarray:
    """Numbers beyond the end of the video led back into it.

    Args:
        numbers: `(num_clips, clip_len)`, rising within a clip.
        num_frames: Frames of the video.
        out_of_bound: `'loop'`, start again at the first frame; or `'repeat_last'`, repeat the last frame of the clip.
    """
    if out_of_bound == 'loop':
        return numbers % num_frames
    is_inside = numbers < num_frames
    last = np.where(is_inside, numbers, 0).max(1, keepdims=True)
    return np.where(is_inside, numbers, last)


def uniform_clips(num_frames: int, clip_len: int, num_clips: int, is_random: bool) -> np.ndarray:
    """Clips of one frame from each of `clip_len` equal segments; a short video repeats frames, it does not start again.

    Args:
        num_frames: Frames of the video.
        clip_len: Segments.
        num_clips: How many clips.
        is_random: A random frame of each segment; otherwise clip k of n takes the frame at (k + 1) / (n + 1) of it.

    Returns:
        `(num_clips, clip_len)` int64.
    """
    segment = (num_frames - 1) / clip_len
    starts = [int(np.round(segment * i)) for i in range(clip_len + 1)]
    if is_random:
        draws = [
            [np.random.randint(starts[i], starts[i + 1] + 1) for i in range(clip_len)]
            for _ in range(num_clips)
        ]  # fmt: skip
        return np.array(draws)
    step = segment / (num_clips + 1)
    return np.array([[starts[i] + int(step * (k + 1)) for i in range(clip_len)] for k in range(num_clips)])
