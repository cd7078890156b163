"""Captions of a user's own images."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmcv.transforms import Compose
from mmengine.config import Config

from florence.apis.meter_loading import load_meter, read_meter_config
from florence.datasets.transforms import LoadImage, ResizeCenterCrop
from florence.models.heads import CaptionHead
from florence.models.vision_language import METERModel
from florence.visualization import CaptionedImage, draw_caption_sheet


class CaptionInferencer:
    """A caption model on images given by path.

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
        self.pipeline = Compose([LoadImage(), ResizeCenterCrop(config.get('image_size', 384))])
        self.batch_size = batch_size

    @torch.no_grad()
    def __call__(self, paths: Sequence[str | os.PathLike], out_dir: str | os.PathLike | None = None) -> list[dict[str, Any]]:
        """Caption images.

        Args:
            paths: Image files.
            out_dir: Draw `captions.png` there.

        Returns:
            Per image `path`, `caption` and `score`, the log-probability of the caption, nats, over its length to the power of the
            config's length penalty.

        Raises:
            ValueError: If there is no image, or a file is missing or no readable image; names it.
        """
        if isinstance(paths, str | os.PathLike) or not paths:
            raise ValueError(f'expected a list of one or more images, got {paths!r}.')
        head, tokenizer = self.model.head, self.model.tokenizer.tokenizer
        assert isinstance(head, CaptionHead)
        images = [self.pipeline({'img_path': str(path), 'sample_id': str(path)})['img'] for path in paths]
        results: list[dict[str, Any]] = []
        for start in range(0, len(images), self.batch_size):
            tensors = [torch.from_numpy(image).permute(2, 0, 1) for image in images[start : start + self.batch_size]]
            inputs = self.model.data_preprocessor({'inputs': tensors})['inputs']
            for path, hypothesis in zip(paths[start:], head.generate(self.model.encoder, inputs), strict=False):
                results.append({'path': str(path), 'caption': tokenizer.decode(hypothesis.tokens), 'score': hypothesis.score})
        if out_dir is not None:
            shown = [CaptionedImage(image, result['caption']) for image, result in zip(images, results, strict=True)]
            draw_caption_sheet(shown, Path(out_dir) / 'captions.png')
        return results
