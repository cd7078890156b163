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
from florence.apis.video_inputs import MAX_ROWS, ClipReader, LazyPictures, frames_of, say_left_out
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
    def embed(self, paths: Sequence[str | os.PathLike]) -> tuple[list[str], Tensor]:
        """Paths of the videos that can be read, and their L2-normalised embeddings, `(N, D)` fp32 on the CPU.

        Raises:
            ValueError: If no video can be read, or none is given.
        """
        found, embeds = [], []
        for path, packed in self.reader.read_all(paths):
            batch = {'inputs': [packed['inputs']], 'data_samples': [packed['data_samples']]}
            embeds.append(self.model.test_step(batch)[0].image_embeds.cpu())
            found.append(path)
        return found, torch.stack(embeds)

    def _picture(self, path: str) -> np.ndarray:
        return film_grid(frames_of(self.reader.read(path)['inputs'], is_text=True))

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
            paths: Video files to search. Those that cannot be read are left out and named in the log.
            texts: Queries.
            num_results: Videos per query.
            out_dir: Draw `retrieval.png` there, with the first five videos of each text, of `MAX_ROWS` texts at most.

        Returns:
            Per text `text` and `videos`, a list of `path` and `score` (cosine), best first.

        Raises:
            ValueError: If no video can be read, there is no text or an empty one, or `num_results` is below 1.
        """
        if isinstance(texts, str) or not texts or not all(text.strip() for text in texts):
            raise ValueError('texts are given as a list of one text or more, none of them empty.')
        if num_results < 1:
            raise ValueError(f'num_results must be 1 or more, got {num_results}.')
        found, video_embeds = self.embed(paths)
        text_embeds = self.model.encode_text(texts).cpu()
        scores, order = (text_embeds @ video_embeds.t()).topk(min(num_results, len(found)))
        if out_dir is not None:
            # Only the videos that were found are drawn: reading those again costs less than keeping pictures of all.
            pictures = LazyPictures(lambda index: self._picture(found[index]), len(found))
            shown = zip(texts[:MAX_ROWS], text_embeds[:MAX_ROWS], strict=True)
            queries = [search_images(text, embed, pictures, video_embeds) for text, embed in shown]
            draw_retrieval_gallery(queries, Path(out_dir) / 'retrieval.png', found='video')
            say_left_out(len(texts), 'retrieval.png')
        return [
            {'text': text, 'videos': [{'path': found[i], 'score': s} for i, s in zip(best, row, strict=True)]}
            for text, best, row in zip(texts, order.tolist(), scores.tolist(), strict=True)
        ]
