"""Text-to-video retrieval among a user's own videos."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from florence.apis.action_inferencer import read_video_config
from florence.apis.two_tower_loading import load_two_tower
from florence.apis.video_inputs import ClipReader, check_videos, frames_of
from florence.visualization import draw_retrieval_gallery, film_grid, search_images


class VideoRetrievalInferencer:
    """Two towers on videos given by path; clips are those of the tests of its config.

    Args:
        config: Config of a `VideoTwoTower`, or its path.
        checkpoint: Weights of it, or of the `TwoTower` with the same towers; None leaves random ones.
        device: Where the model runs.

    Raises:
        FileNotFoundError: If config or checkpoint does not exist.
        ValueError: If they do not fit each other, or the config decodes no video.
    """

    def __init__(self, config: str | Config, checkpoint: str | None = None, device: str | torch.device = 'cpu') -> None:
        config = read_video_config(config)
        self.model = load_two_tower(config, checkpoint, device, kind='VideoTwoTower')
        self.reader = ClipReader(config, 'florence')

    @torch.no_grad()
    def embed(self, paths: Sequence[str | os.PathLike]) -> tuple[Tensor, list[np.ndarray]]:
        """L2-normalised embeddings, `(N, D)` fp32 on the CPU, and four frames of each video as one picture.

        Raises:
            FileNotFoundError: If a video is missing.
            ValueError: If a file is no readable video; names it.
        """
        check_videos(paths)
        embeds, pictures = [], []
        for path in paths:
            packed = self.reader.read(path)
            batch = {'inputs': [packed['inputs']], 'data_samples': [packed['data_samples']]}
            embeds.append(self.model.test_step(batch)[0].image_embeds.cpu())
            pictures.append(film_grid(frames_of(packed['inputs'], is_text=True)))
        return torch.stack(embeds), pictures

    @torch.no_grad()
    def retrieve(
        self,
        paths: Sequence[str | os.PathLike],
        texts: Sequence[str],
        num_results: int = 5,
        out_dir: str | os.PathLike | None = None,
    ) -> list[dict[str, Any]]:
        """The videos that fit each text best.

        Args:
            paths: Video files to search.
            texts: Queries.
            num_results: Videos per query.
            out_dir: Draw `retrieval.png` there, with the first five videos of each text.

        Returns:
            Per text `text` and `videos`, a list of `path` and `score` (cosine), best first.

        Raises:
            FileNotFoundError: If a video is missing.
            ValueError: If there is no video or text, a text is empty, `num_results` is below 1, or a file is no readable video.
        """
        if isinstance(texts, str) or not texts or not all(text.strip() for text in texts):
            raise ValueError('texts are given as a list of one text or more, none of them empty.')
        if num_results < 1:
            raise ValueError(f'num_results must be 1 or more, got {num_results}.')
        video_embeds, pictures = self.embed(paths)
        text_embeds = self.model.encode_text(texts).cpu()
        scores, order = (text_embeds @ video_embeds.t()).topk(min(num_results, len(paths)))
        if out_dir is not None:
            queries = [search_images(*pair, pictures, video_embeds) for pair in zip(texts, text_embeds, strict=True)]
            draw_retrieval_gallery(queries, Path(out_dir) / 'retrieval.png')
        return [
            {'text': text, 'videos': [{'path': str(paths[i]), 'score': s} for i, s in zip(best, row, strict=True)]}
            for text, best, row in zip(texts, order.tolist(), scores.tolist(), strict=True)
        ]
