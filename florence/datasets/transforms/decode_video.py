"""Decode the chosen frames of a video."""

from mmcv.transforms import BaseTransform

from florence.datasets.bad_samples import BadSample
from florence.datasets.video.video_reader import say_once
from florence.registry import TRANSFORMS

MAX_MISSING_SHARE = 0.5
"""A clip of more stand-ins than this is no clip of the video any more."""


@TRANSFORMS.register_module()
class DecodeVideo(BaseTransform):
    """Sets `imgs`, list of `(H, W, 3)` uint8 RGB, one per entry of `frame_inds`; `original_shape` and `img_shape`, `(H, W)`.

    Where the file holds fewer frames than it announces, those that exist are used: the last one before it stands in for a missing
    frame, `num_missing_frames` counts these, and the log says so once for each video.
    """

    def transform(self, results: dict) -> dict:
        """Decode the frames of one sample.

        Args:
            results: Has `frame_inds` and `video_reader`, which is closed and taken out.

        Raises:
            BadSample: If no frame can be decoded, most are missing, or they differ in size; a `ValueError` that names the file.
            KeyError: If the video was not opened before.
        """
        if 'video_reader' not in results:
            raise KeyError('DecodeVideo needs an open video: put OpenVideo before it in the pipeline')
        reader = results.pop('video_reader')
        try:
            imgs, num_missing = reader.frames(results['frame_inds'] - results.get('start_index', 0))
        finally:
            reader.close()
        if num_missing > MAX_MISSING_SHARE * len(imgs):
            raise BadSample(f'{num_missing} of {len(imgs)} frames of a clip of video {reader.path} cannot be decoded')
        if num_missing:
            say_once(f'video {reader.path}: some of its frames cannot be decoded, those before them stand in')
        if len({img.shape for img in imgs}) > 1:
            raise BadSample(f'the frames of video {reader.path} change their size')
        results['imgs'] = imgs
        results['num_missing_frames'] = num_missing
        results['original_shape'] = results['img_shape'] = imgs[0].shape[:2]
        return results
