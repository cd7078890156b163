"""Turns the packed samples of a batch into one normalised image tensor."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from florence.registry import MODELS


@MODELS.register_module()
class ImageTextPreprocessor(BaseDataPreprocessor):
    """Stack uint8 images, move them to the device, and normalise there.

    Args:
        mean, std: Per channel, on the scale 0 to 255, RGB; the defaults are CLIP's.
        channels_last: Memory format of the images; faster convolutions on CPU and tensor cores.
        non_blocking: Copy to the device without waiting.

    Raises:
        ValueError: If mean or std has not three positive-length entries.
    """

    def __init__(
        self,
        mean: Sequence[float] = (122.771, 116.746, 104.094),
        std: Sequence[float] = (68.501, 66.632, 70.323),
        channels_last: bool = True,
        non_blocking: bool = False,
    ) -> None:
        super().__init__(non_blocking)
        if len(mean) != 3 or len(std) != 3:
            raise ValueError(f'ImageTextPreprocessor: mean and std need one value per RGB channel, got {mean} and {std}.')
        self.channels_last = channels_last
        self.register_buffer('mean', torch.tensor(mean, dtype=torch.float32).view(1, 3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std, dtype=torch.float32).view(1, 3, 1, 1), persistent=False)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Batch the samples.

        Args:
            data: `inputs`, a list of `(3, H, W)` uint8 tensors or one `(B, 3, H, W)` tensor, and `data_samples`. Samples of N
                images each come as `(N, 3, H, W)`.
            training: Unused: augmentation belongs to the pipeline.

        Returns:
            The dict with `inputs` `(B, 3, H, W)`, or `(B, N, 3, H, W)`, float32, normalised.

        Raises:
            ValueError: If the images of a batch differ in size.
        """
        data = self.cast_data(data)
        inputs = data['inputs']
        if not isinstance(inputs, Tensor):
            shapes = {tuple(image.shape) for image in inputs}
            if len(shapes) > 1:
                raise ValueError(
                    f'the images of a batch must have one size, got {sorted(shapes)}: end the pipeline with a resize or crop '
                    'to a fixed size.'
                )
            inputs = torch.stack(list(inputs))
        inputs = (inputs.float() - self.mean) / self.std
        if self.channels_last:
            # (B, N, 3, H, W) -> (B * N, 3, H, W): the memory format is of four axes.
            flat = inputs.flatten(0, -4).contiguous(memory_format=torch.channels_last)
            inputs = flat.unflatten(0, inputs.shape[:-3])
        return {**data, 'inputs': inputs}
