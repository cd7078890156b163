"""Results of some queries, picked from embeddings, in the form that the retrieval gallery shows."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from florence.visualization.gallery import FoundImage, FoundText, ImageQuery, TextQuery


def search_images(
    text: str,
    text_embed: Tensor,
    images: Sequence[np.ndarray],
    image_embeds: Tensor,
    captions: Sequence[Sequence[str]] | None = None,
    *,
    num_results: int = 5,
) -> TextQuery:
    """The images closest to a text; right are those that have it as a caption.

    Args:
        text: The query.
        text_embed: `(D,)`, L2-normalised.
        images: N images, `(H, W, 3)` uint8 RGB.
        image_embeds: `(N, D)`, L2-normalised.
        captions: Captions of each image; None = which images are right is not known.
        num_results: Images to show.
    """
    scores, indices = (image_embeds @ text_embed).topk(min(num_results, len(images)))
    return TextQuery(
        text=text,
        found=[
            FoundImage(images[index], score, None if captions is None else text in captions[index])
            for score, index in zip(scores.tolist(), indices.tolist(), strict=True)
        ],
    )


def search_texts(
    image: np.ndarray,
    image_embed: Tensor,
    own_captions: Sequence[str],
    texts: Sequence[str],
    text_embeds: Tensor,
    *,
    num_results: int = 5,
) -> ImageQuery:
    """The distinct texts closest to an image; right are its captions.

    Args:
        image: `(H, W, 3)` uint8 RGB.
        image_embed: `(D,)`, L2-normalised.
        own_captions: Captions of the image.
        texts: M candidates; of equal ones the first is kept.
        text_embeds: `(M, D)`, L2-normalised.
        num_results: Texts to show.
    """
    first = list({text: index for index, text in reversed(list(enumerate(texts)))}.values())
    scores, positions = (text_embeds[first] @ image_embed).topk(min(num_results, len(first)))
    return ImageQuery(
        image=image,
        found=[
            FoundText(texts[first[position]], score, texts[first[position]] in own_captions)
            for score, position in zip(scores.tolist(), positions.tolist(), strict=True)
        ],
    )
