"""Image-text retrieval with a two-tower model: embeddings of a whole data set."""

from dataclasses import dataclass

import numpy as np
import torch
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch import Tensor

from florence.models.two_tower import TwoTower


@dataclass
class EmbeddedDataset:
    """Images, captions and embeddings of a retrieval set of N images; image i has K_i captions.

    Attributes:
        images: N images as the model saw them, `(H, W, 3)` uint8 RGB.
        captions: The captions of each image.
        image_embeds: `(N, D)` fp32, L2-normalised, on the CPU.
        text_embeds: Per image `(K_i, D)`.
    """

    images: list[np.ndarray]
    captions: list[tuple[str, ...]]
    image_embeds: Tensor
    text_embeds: list[Tensor]


@torch.no_grad()
def embed_dataset(model: TwoTower, dataloader: dict) -> EmbeddedDataset:
    """Embed every image and caption of a data set.

    Args:
        model: The model, in evaluation mode.
        dataloader: Config of a data loader whose samples have `captions`.
    """
    images: list[np.ndarray] = []
    captions: list[tuple[str, ...]] = []
    image_embeds, text_embeds = [], []
    with DefaultScope.overwrite_default_scope('florence'):
        loader = Runner.build_dataloader(dataloader, seed=0)
    for batch in loader:
        images += [image.permute(1, 2, 0).numpy() for image in batch['inputs']]  # (3, H, W) -> (H, W, 3)
        for sample in model.test_step(batch):
            captions.append(tuple(sample.captions))
            image_embeds.append(sample.image_embeds.cpu())
            text_embeds.append(sample.text_embeds.cpu())
    return EmbeddedDataset(images, captions, torch.stack(image_embeds), text_embeds)
