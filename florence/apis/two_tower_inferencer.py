"""Zero-shot classification and text-to-image retrieval on a user's own images."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from torch import Tensor

from florence.apis.two_tower_loading import load_two_tower
from florence.datasets.transforms import LoadImage, ResizeCenterCrop
from florence.models.two_tower import TwoTower
from florence.visualization import ClassifiedImage, draw_classification_sheet, draw_retrieval_gallery, search_images


class TwoTowerInferencer:
    """A two-tower model on images given by path.

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
        size = (config if isinstance(config, Config) else Config.fromfile(config)).get('image_size', 224)
        self.pipeline = Compose([LoadImage(), ResizeCenterCrop(size)])
        self.batch_size = batch_size

    def load(self, paths: Sequence[str]) -> list[np.ndarray]:
        """Images at the size of the network input, `(S, S, 3)` uint8 RGB.

        Raises:
            ValueError: If a file is missing or is no readable image; names it.
        """
        return [self.pipeline({'img_path': str(path), 'sample_id': str(path)})['img'] for path in paths]

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
        paths: Sequence[str],
        classes: Sequence[str],
        templates: str = 'simple',
        out_dir: str | os.PathLike | None = None,
    ) -> list[dict]:
        """Zero-shot classification.

        Args:
            paths: Image files.
            classes: Names to choose among.
            templates: Name of the prompt-template set.
            out_dir: Draw `classification.png` there.

        Returns:
            Per image `path`, `class` and `probabilities` (name -> probability, best first).
        """
        images = self.load(paths)
        classifier = self.model.class_embeddings(classes, templates).cpu()
        scale = self.model.multiplier().item()
        probabilities = (scale * self.embed(images) @ classifier.t()).softmax(1)  # (N, C)
        order = probabilities.argsort(1, descending=True)
        results = []
        for path, row, best in zip(paths, probabilities.tolist(), order.tolist(), strict=True):
            ranked = {classes[index]: row[index] for index in best}
            results.append({'path': str(path), 'class': classes[best[0]], 'probabilities': ranked})
        if out_dir is not None:
            shown = [
                ClassifiedImage(image, list(result['probabilities'])[:3], list(result['probabilities'].values())[:3])
                for image, result in zip(images, results, strict=True)
            ]
            draw_classification_sheet(shown, Path(out_dir) / 'classification.png')
        return results

    @torch.no_grad()
    def retrieve(
        self, paths: Sequence[str], texts: Sequence[str], num_results: int = 5, out_dir: str | os.PathLike | None = None
    ) -> list[dict]:
        """The images that fit each text best.

        Args:
            paths: Image files to search.
            texts: Queries.
            num_results: Images per query.
            out_dir: Draw `retrieval.png` there.

        Returns:
            Per text `text` and `images`, a list of `path` and `score` (cosine), best first.
        """
        images = self.load(paths)
        image_embeds, text_embeds = self.embed(images), self.model.encode_text(texts).cpu()
        scores, order = (text_embeds @ image_embeds.t()).topk(min(num_results, len(paths)))
        if out_dir is not None:
            queries = [
                search_images(text, embed, images, image_embeds, num_results=num_results)
                for text, embed in zip(texts, text_embeds, strict=True)
            ]
            draw_retrieval_gallery(queries, Path(out_dir) / 'retrieval.png')
        return [
            {'text': text, 'images': [{'path': str(paths[i]), 'score': s} for i, s in zip(best, row, strict=True)]}
            for text, best, row in zip(texts, order.tolist(), scores.tolist(), strict=True)
        ]
