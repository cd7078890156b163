"""Counts, for each image among captions and each caption among images, the competitors that are not below its best positive.

One pass over blocks of the score matrix serves both directions, without sorting and without a matrix of positives: a comparison
with the best positive of each row and one with that of each column, whose results are counted. From embeddings the scores come
from a float32 product; only those so close to the best positive that its rounding could decide are computed again in float64.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from florence.evaluation.functional.positive_pairs import PositivePairs

MANY = 1 / 16
"""Share of a block beyond which scores that need float64 are computed as one product."""
SLICE = 8192
"""Pairs whose float64 products exist at once."""
COUNTED_IN_A_BYTE = 255


@dataclass(frozen=True)
class RetrievalRanks:
    """Number of competitors not below the best positive; 0 = a positive comes first.

    Attributes:
        image_to_text: Rank of each image query, `(N,)` int64.
        text_to_image: Rank of each caption query, `(M,)` int64.
    """

    image_to_text: Tensor
    text_to_image: Tensor


class EmbeddingScores:
    """Cosines of images `(N, D)` and texts `(M, D)`: sums in float64, rounded to float32.

    Equal embeddings then tie exactly, and the ranks do not depend on how a matrix product is split.
    """

    def __init__(self, images: Tensor, texts: Tensor) -> None:
        self.images, self.texts = images.detach().float(), texts.detach().float()
        norms = [embeds.norm(dim=1).nan_to_num(0.0, 0.0, 0.0).max().item() for embeds in (self.images, self.texts)]
        # Of a sum of D float32 products, whatever its order, and of the roundings of the exact one and of the bounds.
        self.error = (images.shape[1] + 4) * 2.0**-24 * norms[0] * norms[1]

    def pairs(self, images: Tensor, texts: Tensor) -> Tensor:
        """Exact scores of pairs, `(P,)`."""
        return torch.cat(
            [
                (self.images[i].double() * self.texts[t].double()).sum(1).float()
                for i, t in zip(images.split(SLICE), texts.split(SLICE), strict=True)
            ]
        )

    def block(self, first: int, last: int) -> Tensor:
        """Scores of some images with all texts, with errors of at most `error`."""
        # By numpy: torch's settings for faster products (TF32, bfloat16) err more. Without its warnings of what is not a number.
        with np.errstate(invalid='ignore', over='ignore'):
            return torch.from_numpy(self.images[first:last].numpy() @ self.texts.numpy().T)

    def exact_block(self, first: int, last: int) -> Tensor:
        """As `block`, without errors."""
        return (self.images[first:last].double() @ self.texts.double().t()).float()


class MatrixScores:
    """Scores that are there already, `(N, M)`."""

    error = 0.0

    def __init__(self, scores: Tensor) -> None:
        self.scores = scores.detach()

    def pairs(self, images: Tensor, texts: Tensor) -> Tensor:
        """Scores of pairs, `(P,)`."""
        return self.scores[images, texts].float()

    def block(self, first: int, last: int) -> Tensor:
        """Scores of some images with all texts."""
        return self.scores[first:last].float()

    exact_block = block


def count_ranks(scores: EmbeddingScores | MatrixScores, positives: PositivePairs, chunk_size: int) -> RetrievalRanks:
    """Ranks in both directions.

    Args:
        scores: Of N images and M texts.
        positives: Of the same.
        chunk_size: Images whose scores exist at once.
    """
    best = (torch.full((positives.num_images,), -torch.inf), torch.full((positives.num_texts,), -torch.inf))
    ahead = (torch.zeros(positives.num_images, dtype=torch.int64), torch.zeros(positives.num_texts, dtype=torch.int64))
    for first, last in positives.blocks(chunk_size):
        image, text, own = _positives(scores, positives, first, last)
        for bests, queries in zip(best, (image, text), strict=True):
            # The largest of values one of which is not a number is not a number.
            bests.scatter_reduce_(0, queries, own, 'amax')
    for first, last in positives.blocks(chunk_size):
        by_image, by_text = _not_below(scores, (first, last), best[0][first:last], best[1])
        ahead[0][first:last] = by_image
        ahead[1].add_(by_text)
        image, text, own = _positives(scores, positives, first, last)
        for counts, bests, queries in zip(ahead, best, (image, text), strict=True):
            counts.sub_(torch.bincount(queries[~(own < bests[queries])], minlength=len(counts)))
    return RetrievalRanks(*ahead)


def _positives(
    scores: EmbeddingScores | MatrixScores, positives: PositivePairs, first: int, last: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Images, texts and exact scores of the pairs that belong together, `(P,)` each, of a block of images."""
    image, text = positives.of_images(first, last)
    return image + first, text, scores.pairs(image + first, text)


def _not_below(
    scores: EmbeddingScores | MatrixScores, block: tuple[int, int], image_best: Tensor, text_best: Tensor
) -> tuple[Tensor, Tensor]:
    """Scores of a block of images, those of positives among them, that are not below the best positive of their image and text.

    "Not below" rather than "at least": it also counts what is not a number.

    Returns:
        Numbers for the images of the block and for all texts, int64.
    """
    matrix = scores.block(*block).numpy()
    flags, near = np.empty(matrix.shape, bool), np.empty(matrix.shape, bool)
    counts = []
    for best, axis in ((image_best[:, None].numpy(), 1), (text_best.numpy(), 0)):
        np.less(matrix, best - np.float32(scores.error), out=flags)
        below = _count(flags, axis)
        if scores.error:
            np.less(matrix, best + np.float32(scores.error), out=near)
            # What is below the lower bound is below the upper one.
            places = np.flatnonzero(np.not_equal(near, flags, out=near))
            if len(places) > MANY * matrix.size:
                matrix = scores.exact_block(*block).numpy()
                below = _count(np.less(matrix, best, out=flags), axis)
            elif len(places):
                image, text = (torch.from_numpy(index) for index in np.unravel_index(places, matrix.shape))
                query = image if axis else text
                is_below = scores.pairs(image + block[0], text) < torch.from_numpy(best).flatten()[query]
                below += torch.bincount(query[is_below], minlength=len(below))
        counts.append(matrix.shape[axis] - below)
    return counts[0], counts[1]


def _count(flags: np.ndarray, axis: int) -> Tensor:
    """How many are set along an axis, int64; several times as fast as numpy's own sum of them."""
    if axis == 1:
        return torch.tensor([np.count_nonzero(row) for row in flags])
    total = np.zeros(flags.shape[1], np.int64)
    for start in range(0, len(flags), COUNTED_IN_A_BYTE):
        total += np.add.reduce(flags[start : start + COUNTED_IN_A_BYTE].view(np.uint8), axis=0, dtype=np.uint8)
    return torch.from_numpy(total)
