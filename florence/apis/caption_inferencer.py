"""Captions of a user's own images."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from florence.apis.image_inputs import ImageSource, list_images, name_of, read_crops
from florence.apis.meter_loading import load_meter, read_meter_config
from florence.apis.readable_inputs import in_batches
from florence.models.heads import CaptionHead
from florence.models.vision_language import METERModel
from florence.visualization import CaptionedImage, draw_caption_sheet


class CaptionInferencer:
    """A caption model on images.

    Args:
        config: Config of the model or its path; its `image_size` is the side of the network input.
        checkpoint: Weights; None leaves random ones, for a tokenizer with a ready vocabulary only.
        device: Where the model runs.
        batch_size: Images at a time.

    Raises:
        FileNotFoundError: If config or checkpoint does not exist.
        ValueError: If they do not fit each other, or are not for captioning, or there is no such device.
    """

    def __init__(
        self,
        config: str | Config,
        checkpoint: str | None = None,
        device: str | torch.device = 'cpu',
        batch_size: int = 32,
    ) -> None:
        config = read_meter_config(config)
        self.model: METERModel = load_meter(config, checkpoint, device, head='CaptionHead')
        self.image_size, self.batch_size = config.get('image_size', 384), batch_size

    @torch.no_grad()
    def __call__(
        self, images: ImageSource | Sequence[ImageSource], out_dir: str | os.PathLike | None = None
    ) -> list[dict[str, Any]]:
        """Caption images.

        Args:
            images: Image files, `(H, W, 3)` uint8 RGB arrays or Pillow images, one or several. Those that cannot be read are left
                out and named in the log.
            out_dir: Draw `captions.png` there.

        Returns:
            Per image that can be read `path` (`image-3` in memory), `caption` and `score`, the log-probability of the caption,
            nats, over its length to the power of the config's length penalty.

        Raises:
            ValueError: If there is no image, or none can be read.
        """
        sources = list_images(images)
        head, tokenizer = self.model.head, self.model.tokenizer.tokenizer
        assert isinstance(head, CaptionHead)
        results: list[dict[str, Any]] = []
        shown: list[CaptionedImage] = []
        for batch in in_batches(read_crops(sources, self.image_size), self.batch_size):
            tensors = [torch.from_numpy(image).permute(2, 0, 1) for _, image in batch]
            inputs = self.model.data_preprocessor({'inputs': tensors})['inputs']
            for (index, image), hypothesis in zip(batch, head.generate(self.model.encoder, inputs), strict=True):
                caption = tokenizer.decode(hypothesis.tokens)
                results.append({'path': name_of(sources[index], index), 'caption': caption, 'score': hypothesis.score})
                if out_dir is not None:
                    shown.append(CaptionedImage(image, caption))
        if out_dir is not None:
            draw_caption_sheet(shown, Path(out_dir) / 'captions.png')
        return results
