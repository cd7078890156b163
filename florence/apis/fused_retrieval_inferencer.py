"""Text-to-image retrieval on a user's own images: two towers propose, the fusion ranks."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from florence.apis.image_inputs import ImageSource, load_crops
from florence.apis.meter_loading import load_meter, read_meter_config
from florence.models.heads import RankingHead
from florence.models.heads.ranking_head import text_tokens
from florence.models.vision_language import METERModel
from florence.visualization import FoundImage, TextQuery, draw_retrieval_gallery

SHOWN_IMAGES = 5


class FusedRetrievalInferencer:
    """A ranking model on images given by path.

    Args:
        config: Config of the model or its path; its `image_size` is the side of the network input.
        checkpoint: Weights; None leaves random ones, for tokenizers with a ready vocabulary only.
        device: Where the model runs.
        batch_size: Images at a time.
        top_k: Images that the two towers propose for each text; without two towers every image is ranked.

    Raises:
        FileNotFoundError: If config or checkpoint does not exist.
        ValueError: If they do not fit each other, or are not for retrieval, there is no such device, or `batch_size` or `top_k`
            is below 1.
    """

    def __init__(
        self,
        config: str | Config,
        checkpoint: str | None = None,
        device: str | torch.device = 'cpu',
        batch_size: int = 64,
        top_k: int = 128,
    ) -> None:
        if min(batch_size, top_k) < 1:
            raise ValueError(f'batch_size and top_k must be 1 or more, got {batch_size} and {top_k}.')
        config = read_meter_config(config)
        self.model: METERModel = load_meter(config, checkpoint, device, head='RankingHead')
        self.image_size = config.get('image_size', 384)
        self.batch_size, self.top_k = batch_size, top_k

    @torch.no_grad()
    def retrieve(
        self,
        images: ImageSource | Sequence[ImageSource],
        texts: Sequence[str],
        num_results: int = 5,
        out_dir: str | os.PathLike | None = None,
    ) -> list[dict[str, Any]]:
        """The images that fit each text best.

        Args:
            images: What to search: image files, `(H, W, 3)` uint8 RGB arrays or Pillow images, one or several. Those that cannot
                be read are left out and named in the log.
            texts: Queries.
            num_results: Images per query, at most: only those that the two towers propose are ranked.
            out_dir: Draw `retrieval.png` there, with the first five images of each text.

        Returns:
            Per text `text` and `images`, best first: a list of `path` (`image-3` in memory), `score` of the fusion, `match`,
            the probability that it is this one if it is one of those ranked, and with two towers `similarity`, their cosine.

        Raises:
            ValueError: If there is no image or text, a text is empty, `num_results` is below 1, or no image can be read.
        """
        _check(texts, num_results)
        paths, crops = load_crops(images, self.image_size)
        scores, similarities = self._scores(crops, list(texts), max(self.top_k, num_results))
        results, queries = [], []
        for number, text in enumerate(texts):
            own = scores[:, number]
            matches = own.softmax(0)
            order = [index for index in own.argsort(descending=True).tolist() if own[index] > -torch.inf][:num_results]
            found: list[dict[str, Any]] = []
            for index in order:
                entry = {'path': paths[index], 'score': own[index].item(), 'match': matches[index].item()}
                found.append(entry if similarities is None else {**entry, 'similarity': similarities[index, number].item()})
            results.append({'text': text, 'images': found})
            shown = zip(order[:SHOWN_IMAGES], found, strict=False)
            queries.append(TextQuery(text, [FoundImage(crops[index], entry['match'], None) for index, entry in shown]))
        if out_dir is not None:
            draw_retrieval_gallery(queries, Path(out_dir) / 'retrieval.png')
        return results

    def _scores(self, images: list[np.ndarray], texts: list[str], top_k: int) -> tuple[Tensor, Tensor | None]:
        """Scores of images and texts `(N, M)`, -inf where the two towers do not propose a pair, and cosines `(N, M)`."""
        model, head = self.model, self.model.head
        assert isinstance(head, RankingHead)
        tokens, embeds = [], []
        for start in range(0, len(images), self.batch_size):
            tensors = [torch.from_numpy(image).permute(2, 0, 1) for image in images[start : start + self.batch_size]]
            inputs = model.data_preprocessor({'inputs': tensors})['inputs']
            tokens.append(model.encoder.encode_image(inputs).cpu())
            if head.two_tower is not None:
                embeds.append(head.two_tower.encode_image(head.scaled(inputs)).cpu())
        proposed = torch.ones(len(images), len(texts), dtype=torch.bool)
        similarities = None
        if head.two_tower is not None:
            image_embeds, text_embeds = torch.cat(embeds), head.two_tower.encode_text(texts).cpu()
            similarities = image_embeds @ text_embeds.t()
            # Where copies of an image tie at the border the first ones are taken: a search must find something.
            best = similarities.argsort(dim=0, descending=True, stable=True)[:top_k]
            proposed = torch.zeros_like(proposed).scatter_(0, best, True)
        candidates = [row.nonzero().flatten() for row in proposed]
        words = text_tokens(model.encoder, texts)
        scores = torch.full(proposed.shape, -torch.inf)
        for start in range(0, len(images), self.batch_size):
            block = slice(start, start + self.batch_size)
            found = head.rank(model.encoder, tokens[start // self.batch_size], words, candidates[block])
            for index, row in enumerate(found, start=start):
                scores[index, candidates[index]] = row
        return scores, similarities


def _check(texts: Sequence[str], num_results: int) -> None:
    if isinstance(texts, str) or not texts:
        raise ValueError(f'texts are given as a list of one text or more, got {texts!r}.')
    empty = [number for number, text in enumerate(texts, 1) if not text.strip()]
    if empty:
        raise ValueError(f'text {empty[0]} of {len(texts)} is empty: leave it out.')
    if num_results < 1:
        raise ValueError(f'num_results must be 1 or more, got {num_results}.')
