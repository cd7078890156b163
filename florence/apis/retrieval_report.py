"""What a ranking model finds for images and for texts, and what it misses: the part of a visual report for retrieval."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from florence.engine.loops.fused_retrieval import DTYPES, EncodedShare, RankingSettings, gather, rank_share
from florence.models.vision_language import METERModel
from florence.models.vision_language.candidates import OF_IMAGE, OF_TEXT
from florence.structures import ImageTextSample
from florence.visualization import FoundImage, FoundText, ImageQuery, TextQuery, draw_retrieval_gallery

SHOWN = 5
Found = list[tuple[int, float]]


@torch.no_grad()
def rank_samples(model: METERModel, batches: Iterable[dict], size: int, settings: Mapping[str, Any]) -> list[ImageTextSample]:
    """Encode a retrieval set and score the pairs, as the evaluation's loop does.

    Args:
        model: A model with a `RankingHead`, in evaluation mode.
        batches: Of the data set, in its order.
        size: Its length.
        settings: Arguments of `RankingSettings`.

    Returns:
        The samples with `pair_scores`, and `pair_texts` and `pair_lists` where not all pairs were scored.
    """
    chosen, share = RankingSettings(**settings), EncodedShare()
    for batch in batches:
        share.add(model.test_step(batch), DTYPES[chosen.token_dtype])
    for _ in rank_share(model, share, gather(share, size), chosen, size):
        pass  # block by block, so that a loop may tell how far it is
    return share.samples


@dataclass(frozen=True)
class Rankings:
    """The first results of every query, best first.

    Attributes:
        captions: The captions of each image.
        texts: All texts: those of the first image, of the second, and so on; `owners` the image of each.
        of_images: For each image indices of texts and their scores.
        of_texts: For each text indices of images and their scores.
    """

    captions: list[tuple[str, ...]]
    texts: list[str]
    owners: list[int]
    of_images: list[Found]
    of_texts: list[Found]

    def is_right(self, image: int, text: int) -> bool:
        """Whether an image has this text, or another of the same words."""
        return self.texts[text] in self.captions[image]


def read_rankings(samples: Sequence[ImageTextSample], limit: int = SHOWN) -> Rankings:
    """The best results of each query from the scores of the pairs.

    Args:
        samples: As `rank_samples` gives them.
        limit: Results of each query.
    """
    captions = [tuple(sample.captions) for sample in samples]
    texts = [text for own in captions for text in own]
    owners = [image for image, own in enumerate(captions) for _ in own]
    of_images: list[Found] = []
    of_texts: list[Found] = [[] for _ in texts]
    for image, sample in enumerate(samples):
        scores = sample.pair_scores.tolist()
        every = range(len(texts))
        chosen = sample.pair_texts.tolist() if 'pair_texts' in sample else every
        lists = sample.pair_lists.tolist() if 'pair_lists' in sample else [OF_IMAGE + OF_TEXT] * len(texts)
        found = [(text, score) for text, score, where in zip(chosen, scores, lists, strict=True) if where & OF_IMAGE]
        of_images.append(sorted(found, key=lambda pair: -pair[1])[:limit])
        for text, score, where in zip(chosen, scores, lists, strict=True):
            if where & OF_TEXT:
                of_texts[text].append((image, score))
    best = [sorted(found, key=lambda pair: -pair[1])[:limit] for found in of_texts]
    return Rankings(captions, texts, owners, of_images, best)


def report_on_retrieval(
    rankings: Rankings, pixels: Callable[[int], np.ndarray], out_dir: str | os.PathLike, *, num_examples: int
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Draw what queries find: some from everywhere, and some whose first result is wrong.

    Args:
        rankings: Results of all queries.
        pixels: Index -> image, `(H, W, 3)` uint8 RGB.
        out_dir: Folder of the report.
        num_examples: Queries of each direction in each picture.

    Returns:
        What `report.json` holds, and pictures by heading, relative to `out_dir`.
    """
    missed_images = [
        image for image, found in enumerate(rankings.of_images) if not (found and rankings.is_right(image, found[0][0]))
    ]
    missed_texts = [text for text, found in enumerate(rankings.of_texts) if not (found and rankings.is_right(found[0][0], text))]
    chosen = {
        'found': (_spread(range(len(rankings.texts)), num_examples), _spread(range(len(rankings.captions)), num_examples)),
        'missed': (_spread(missed_texts, num_examples), _spread(missed_images, num_examples)),
    }
    pictures: dict[str, list[str]] = {}
    for (name, (texts, images)), heading in zip(chosen.items(), ('What is found', 'Wrong first results'), strict=True):
        if not texts and not images:
            continue
        queries = [_text_query(rankings, text, pixels) for text in texts]
        file = f'pictures/{name}.png'
        draw_retrieval_gallery([*queries, *(_image_query(rankings, image, pixels) for image in images)], Path(out_dir, file))
        pictures[heading] = [file]
    counts = {
        'images': len(rankings.captions), 'texts': len(rankings.texts),
        'images without a right first text': len(missed_images), 'texts without a right first image': len(missed_texts),
    }  # fmt: skip
    return {'counts': counts, 'pictures': pictures}, pictures


def _spread(items: Sequence[int], count: int) -> list[int]:
    """Some items from everywhere, in their order."""
    return [items[place] for place in np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)]


def _text_query(rankings: Rankings, text: int, pixels: Callable[[int], np.ndarray]) -> TextQuery:
    found = [FoundImage(pixels(image), score, rankings.is_right(image, text)) for image, score in rankings.of_texts[text]]
    return TextQuery(rankings.texts[text], found)


def _image_query(rankings: Rankings, image: int, pixels: Callable[[int], np.ndarray]) -> ImageQuery:
    found = [FoundText(rankings.texts[text], score, rankings.is_right(image, text)) for text, score in rankings.of_images[image]]
    return ImageQuery(pixels(image), found)
