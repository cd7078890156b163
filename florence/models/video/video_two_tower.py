"""The two towers of Florence on clips: text-video retrieval (arXiv 2111.11432, section 3.8), zero-shot classification of actions.

An image-text model's weights serve as they are, without training, in two ways. Mode 'frames': each frame passes the image tower,
and the clip is the mean of its frames' embeddings, as in CLIP4Clip (arXiv 2104.08860, "mean pooling"). Mode 'tube', Florence's
way: the image tower is a `VideoCoSwin`, which takes an image tower's weights and gives them a time axis while it loads them. Of
frames that are all alike both give the embedding of the image.

The paper says neither how many frames it takes nor how it samples them; the configs of `video_coswin` say what ours take.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from florence.models.backbones.coswin import CoSwin
from florence.models.backbones.video_coswin import VideoCoSwin
from florence.models.data_preprocessors import ImageTextPreprocessor, VideoTextPreprocessor
from florence.models.two_tower import TwoTower
from florence.registry import MODELS
from florence.structures import ImageTextSample

MODES = ('frames', 'tube')


@MODELS.register_module()
class VideoTwoTower(TwoTower):
    """A `TwoTower` on clips; its samples, losses and checkpoints are those of `TwoTower`.

    A clip of several views, as evaluations take them, has the normalised mean of the views' embeddings, so that its classes are
    in the order of their scores averaged over views.

    Args:
        mode: 'frames' or 'tube'; 'tube' needs an image tower that takes clips, such as `VideoCoSwin`.
        arguments: Those of `TwoTower`; the preprocessor is `VideoTextPreprocessor` unless one is given.

    Raises:
        ValueError: If the mode is unknown, its image tower is the other mode's, or the preprocessor is for images.
    """

    def __init__(self, *arguments: Any, mode: str, data_preprocessor: dict | torch.nn.Module | None = None, **named: Any) -> None:
        if mode not in MODES:
            raise ValueError(f'VideoTwoTower: mode must be one of {MODES}, got {mode!r}.')
        super().__init__(*arguments, data_preprocessor=data_preprocessor or VideoTextPreprocessor(), **named)
        self.mode = mode
        if type(self.data_preprocessor) is ImageTextPreprocessor:
            raise ValueError(
                'VideoTwoTower: ImageTextPreprocessor is for images, give VideoTextPreprocessor with the same values.'
            )
        wrong = CoSwin if mode == 'tube' else VideoCoSwin
        if isinstance(self.image_tower, wrong):
            right = VideoCoSwin if mode == 'tube' else CoSwin
            raise ValueError(f'VideoTwoTower: mode {mode!r} needs an image_tower such as {right.__name__}, got {wrong.__name__}.')

    def encode_inputs(self, inputs: Tensor, data_samples: list[ImageTextSample]) -> Tensor:
        """`encode_image` of what is no padding: the `num_frames` of the samples, where they have that."""
        counts = [sample.get('num_frames') for sample in data_samples]
        if not any(count is not None for count in counts):
            return self.encode_image(inputs)
        length = inputs.shape[-3]
        return self.encode_image(inputs, torch.tensor([length if count is None else count for count in counts]))

    def encode_image(self, inputs: Tensor, num_frames: Tensor | None = None) -> Tensor:
        """L2-normalised embeddings of clips, `(B, D)` fp32.

        Args:
            inputs: Normalised clips, `(B, 3, T, H, W)`, or of V views each, `(B, V, 3, T, H, W)`.
            num_frames: How many frames of each clip, from its first one on, are no padding, `(B,)`; None = all. Mode 'tube' sees
                the padding, too, which repeats the last frame (`PackVideoText`).

        Raises:
            ValueError: If the inputs are no clips.
        """
        if inputs.ndim not in (5, 6) or not inputs.shape[-3]:
            raise ValueError(
                'VideoTwoTower takes clips (B, 3, T, H, W), or (B, V, 3, T, H, W) of V views, with one frame or more, got '
                f'{tuple(inputs.shape)}: end the pipeline with PackVideoText.'
            )
        if inputs.ndim == 6:
            # View by view: a dozen views of a large clip at once do not fit an accelerator that one of them fits.
            embeds = torch.stack([self.encode_image(view, num_frames) for view in inputs.unbind(1)])  # (V, B, D)
            return F.normalize(embeds.mean(0), dim=-1)
        return self._encode_tubes(inputs) if self.mode == 'tube' else self._encode_frames(inputs, num_frames)

    def _encode_frames(self, clips: Tensor, num_frames: Tensor | None) -> Tensor:
        length = clips.shape[2]
        frames = clips.transpose(1, 2).flatten(0, 1)  # (B, 3, T, H, W) -> (B * T, 3, H, W)
        embeds = super().encode_image(frames).unflatten(0, (-1, length))  # (B, T, D)
        if num_frames is None:
            return F.normalize(embeds.mean(1), dim=-1)
        mask = torch.arange(length, device=embeds.device) < num_frames.to(embeds.device)[:, None]  # (B, T)
        return F.normalize((embeds * mask[..., None]).sum(1), dim=-1)  # the norm takes out the number of frames

    def _encode_tubes(self, clips: Tensor) -> Tensor:
        maps = self.image_tower(clips)
        last = maps if isinstance(maps, Tensor) else maps[-1]
        return self.project_image(last.mean((2, 3, 4)))  # (B, C, T', H', W') -> (B, C) -> (B, D)
