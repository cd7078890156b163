"""Choose the frames of the clips that a model sees of a video."""

import numpy as np
from mmcv.transforms import BaseTransform

from florence.datasets.video.clip_sampling import dense_starts, even_starts, uniform_clips, within
from florence.registry import TRANSFORMS

MODES = ('dense', 'uniform')
OUT_OF_BOUND = ('loop', 'repeat_last')


@TRANSFORMS.register_module()
class SampleClips(BaseTransform):
    """Sets `frame_inds`, `(num_clips * clip_len,)` int32, one clip after the other, `clip_len`, `num_clips` and `frame_interval`.

    In training the place is random; in `test_mode` it depends on the length alone, and the clips are spread over the whole video:
    4 of them with three crops are the 4 x 3 views of Kinetics tables.

    Args:
        clip_len: Frames of a clip.
        frame_interval: Frames from one frame of a clip to the next (mode 'dense').
        num_clips: Clips.
        mode: `'dense'`, frames at a fixed interval (Kinetics); or `'uniform'`, one frame from each of `clip_len` equal segments
            of the video (Something-Something, retrieval), where a short video repeats frames.
        fps: Ticks per second that `frame_interval` counts in, instead of frames: at each tick the frame that is shown at that
            time. It follows the frames' own times, so it is right for variable frame rates too.
        out_of_bound: What fills a clip that is longer than the video (mode 'dense'): `'loop'`, the video from its beginning, or
            `'repeat_last'`, the last frame of the clip that exists. Both as mmaction2's `SampleFrames`.
        test_mode: Evaluation.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        clip_len: int,
        *,
        frame_interval: int = 1,
        num_clips: int = 1,
        mode: str = 'dense',
        fps: float | None = None,
        out_of_bound: str = 'loop',
        test_mode: bool = False,
    ) -> None:
        for name, value in (('clip_len', clip_len), ('frame_interval', frame_interval), ('num_clips', num_clips)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f'SampleClips: {name} must be a whole number, at least 1, not {value!r}')
        if mode not in MODES or out_of_bound not in OUT_OF_BOUND:
            raise ValueError(
                f'SampleClips: mode is one of {MODES} and out_of_bound one of {OUT_OF_BOUND}, not {mode!r} and {out_of_bound!r}'
            )
        if mode == 'uniform' and frame_interval != 1:
            raise ValueError('SampleClips: frame_interval belongs to mode dense; uniform clips span the whole video')
        if fps is not None and fps <= 0:
            raise ValueError(f'SampleClips: fps must be above 0, not {fps}')
        self.clip_len, self.frame_interval, self.num_clips = clip_len, frame_interval, num_clips
        self.mode, self.fps, self.out_of_bound, self.test_mode = mode, fps, out_of_bound, test_mode

    def transform(self, results: dict) -> dict:
        """Choose the frames of one video.

        Args:
            results: Has `total_frames`; with `fps` also `video_reader`. `start_index` is the number of the first frame, 0
                where it is not set.

        Raises:
            KeyError: If the video was not opened before.
            ValueError: If `fps` is set and the decoder does not tell the times of frames.
        """
        if 'total_frames' not in results:
            raise KeyError('SampleClips needs total_frames: put OpenVideo before it in the pipeline')
        shown = None if self.fps is None else self._shown_at_ticks(results)
        numbers = self._numbers(results['total_frames'] if shown is None else len(shown))
        if shown is not None:
            numbers = shown[numbers]
        results['frame_inds'] = (numbers.reshape(-1) + results.get('start_index', 0)).astype(np.int32)
        results['clip_len'], results['num_clips'] = self.clip_len, self.num_clips
        results['frame_interval'] = self.frame_interval if self.mode == 'dense' else None
        return results

    def _numbers(self, num_frames: int) -> np.ndarray:
        """Numbers of frames, `(num_clips, clip_len)`."""
        if self.mode == 'uniform':
            return uniform_clips(num_frames, self.clip_len, self.num_clips, is_random=not self.test_mode)
        if self.test_mode:
            starts = even_starts(num_frames, self.clip_len, self.frame_interval, self.num_clips)
        else:
            starts = dense_starts(num_frames, self.clip_len * self.frame_interval, self.num_clips)
        numbers = starts[:, None] + np.arange(self.clip_len) * self.frame_interval
        return within(numbers, num_frames, self.out_of_bound)

    def _shown_at_ticks(self, results: dict) -> np.ndarray:
        """Number of the frame that is shown at each tick of the clock, from the first frame's time to the last one's."""
        times = getattr(results.get('video_reader'), 'times', None)
        if times is None:
            raise ValueError(
                f'SampleClips(fps={self.fps}) needs the times of the frames of {results.get("filename", "the video")}: open it '
                f"with OpenVideo(backend='pyav') or 'decord'"
            )
        slack = 1e-6  # seconds; times are multiples of a time base, ticks are not
        ticks = np.arange(int((times[-1] + slack) * self.fps) + 1) / self.fps
        return np.searchsorted(times, ticks + slack, side='right') - 1
