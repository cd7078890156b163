"""Turns the packed clips of a batch into one normalised tensor."""

from torch import Tensor

from florence.models.data_preprocessors.image_text import ImageTextPreprocessor
from florence.registry import MODELS


@MODELS.register_module()
class VideoTextPreprocessor(ImageTextPreprocessor):
    """As `ImageTextPreprocessor`, for clips: `(3, T, H, W)`, or `(V, 3, T, H, W)` of V views.

    Args:
        mean, std, channels_last, non_blocking: As of `ImageTextPreprocessor`.
    """

    def forward(self, data: dict, training: bool = False) -> dict:
        """Batch the samples.

        Args:
            data: `inputs`, a list of uint8 clips `(3, T, H, W)` or `(V, 3, T, H, W)`, or one tensor with the batch before these
                axes, and `data_samples`.
            training: Unused: augmentation belongs to the pipeline.

        Returns:
            The dict with `inputs` `(B, 3, T, H, W)`, or `(B, V, 3, T, H, W)`, float32, normalised.

        Raises:
            ValueError: If the clips of a batch differ in length, size or number of views.
        """
        clips = data['inputs']
        if not isinstance(clips, Tensor):
            shapes = {tuple(clip.shape) for clip in clips}
            if len(shapes) > 1:
                raise ValueError(
                    f'the clips of a batch must have one shape, got {sorted(shapes)}: sample equally many frames and views of '
                    'each video (PackVideoText can pad), and end the pipeline with a resize or crop to a fixed size.'
                )
        frames = clips.transpose(-4, -3) if isinstance(clips, Tensor) else [clip.transpose(-4, -3) for clip in clips]
        batch = super().forward({**data, 'inputs': frames}, training)  # (..., 3, T, H, W) -> (..., T, 3, H, W)
        return {**batch, 'inputs': batch['inputs'].transpose(-4, -3)}
