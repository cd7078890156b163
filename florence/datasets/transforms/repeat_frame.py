"""One frame in the place of all: what a model that sees frames but no motion can be shown, a baseline for video models."""

import numpy as np
from mmcv.transforms import BaseTransform

from florence.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RepeatFrame(BaseTransform):
    """Put one frame of each clip in the place of its others.

    Args:
        position: Which one: 0 is the first, 1 the last, 0.5 the one in the middle (of two, the later one); None = a random one.

    Raises:
        ValueError: If the position does not lie in `[0, 1]`.
    """

    def __init__(self, position: float | None = None) -> None:
        if position is not None and not 0 <= position <= 1:
            raise ValueError(f'RepeatFrame: position must lie in 0 .. 1, or be None, got {position}.')
        self.position = position

    def transform(self, results: dict) -> dict:
        """Repeat frames.

        Args:
            results: `imgs`, frames of `num_clips` clips of `clip_len` frames one after the other; as many afterwards.

        Raises:
            ValueError: If `imgs` holds another number of frames.
        """
        num_clips, clip_len = results['num_clips'], results['clip_len']
        if len(results['imgs']) != num_clips * clip_len:
            raise ValueError(
                f'RepeatFrame needs {num_clips} clips of {clip_len} frames, got {len(results["imgs"])} frames: put it before '
                'the steps that make several crops or change the axes.'
            )
        for clip in range(num_clips):
            first = clip * clip_len
            chosen = np.random.randint(clip_len) if self.position is None else min(int(self.position * clip_len), clip_len - 1)
            frame = results['imgs'][first + chosen]
            # mmaction's Flip works in place: each frame is an array of its own.
            results['imgs'][first : first + clip_len] = [frame.copy() for _ in range(clip_len)]
        return results
