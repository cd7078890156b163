"""Zero-shot classification and text-to-image retrieval on a user's own images."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from florence.apis.image_inputs import ImageSource, load_crops
from florence.apis.two_tower_loading import load_two_tower
from florence.models.two_tower import TwoTower
from florence.visualization import ClassifiedImage, draw_classification_sheet, draw_retrieval_gallery, search_images


class TwoTowerInferencer:
    """A two-tower model on images.

    Args:
        config: Config of the model or its path; its `image_size` is the side of the network input.
        checkpoint: Weights; None leaves random ones.
        device: Where the model runs.
        batch_size: Images at a time.

    Raises:
        FileNotFoundError: If config or checkpoint does not exist.
        ValueError: If they do not fit each other.
    """

    def __init__(
        self,
        config: str | Config,
        checkpoint: str | None = None,
        device: str | torch.device = 'cpu',
        batch_size: int = 64,
    ) -> None:
        self.model: TwoTower = load_two_tower(config, checkpoint, device)
        self.image_size = (config if isinstance(config, Config) else Config.fromfile(config)).get('image_size', 224)
        self.batch_size = batch_size

    @torch.no_grad()
    def embed(self, images: Sequence[np.ndarray]) -> Tensor:
        """L2-normalised embeddings, `(N, D)` fp32 on the CPU."""
        blocks = []
        for start in range(0, len(images), self.batch_size):
            tensors = [torch.from_numpy(image).permute(2, 0, 1) for image in images[start : start + self.batch_size]]
            blocks.append(self.model.encode_image(self.model.data_preprocessor({'inputs': tensors})['inputs']).cpu())
        return torch.cat(blocks)

    @torch.no_grad()
    def classify(
        self,
        images: ImageSource | Sequence[ImageSource],
        classes: Sequence[str],
        templates: str = 'simple',
        out_dir: str | os.PathLike | None = None,
    ) -> list[dict]:
        """Zero-shot classification.

        Args:
            images: Image files, `(H, W, 3)` uint8 RGB arrays or Pillow images, one or several. Those that cannot be read are left
                out and named in the log.
            classes: Names to choose among.
            templates: Name of the prompt-template set.
            out_dir: Draw `classification.png` there.

        Returns:
            Per image that can be read `path` (`image-3` in memory), `class` and `probabilities` (name -> probability, best
            first).

        Raises:
            ValueError: If there is no image, or none can be read.
        """
        paths, crops = load_crops(images, self.image_size)
        classifier = self.model.class_embeddings(classes, templates).cpu()
        scale = self.model.multiplier().item()
        probabilities = (scale * self.embed(crops) @ classifier.t()).softmax(1)  # (N, C)
        order = probabilities.argsort(1, descending=True)
        results = []
        for path, row, best in zip(paths, probabilities.tolist(), order.tolist(), strict=True):
            ranked = {classes[index]: row[index] for index in best}
            results.append({'path': path, 'class': classes[best[0]], 'probabilities': ranked})
        if out_dir is not None:
            shown = [
                ClassifiedImage(image, list(result['probabilities'])[:3], list(result['probabilities'].values())[:3])
                for image, result in zip(crops, results, strict=True)
            ]
            draw_classification_sheet(shown, Path(out_dir) / 'classification.png')
        return results

    @torch.no_grad()
    def retrieve(
        self,
        images: ImageSource | Sequence[ImageSource],
        texts: Sequence[str],
        num_results: int = 5,
        out_dir: str | os.PathLike | None = None,
    ) -> list[dict]:
        """The images that fit each text best.

        Args:
            images: What to search, as in `classify`.
            texts: Queries.
            num_results: Images per query.
            out_dir: Draw `retrieval.png` there.

        Returns:
            Per text `text` and `images`, a list of `path` (`image-3` in memory) and `score` (cosine), best first.

        Raises:
            ValueError: If there is no image, or none can be read.
        """
        paths, crops = load_crops(images, self.image_size)
        image_embeds, text_embeds = self.embed(crops), self.model.encode_text(texts).cpu()
        scores, order = (text_embeds @ image_embeds.t()).topk(min(num_results, len(paths)))
        if out_dir is not None:
            queries = [
                search_images(text, embed, crops, image_embeds, num_results=num_results)
                for text, embed in zip(texts, text_embeds, strict=True)
            ]
            draw_retrieval_gallery(queries, Path(out_dir) / 'retrieval.png')
        return [
            {'text': text, 'images': [{'path': paths[i], 'score': s} for i, s in zip(best, row, strict=True)]}
            for text, best, row in zip(texts, order.tolist(), scores.tolist(), strict=True)
        ]
