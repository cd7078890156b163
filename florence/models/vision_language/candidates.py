"""Which pairs a costly model looks at: for each image the texts, for each text the images, that a two-tower model likes best.

A candidate's cosine is above that of the first item that is left out: at most K candidates, fewer where several items tie there,
so that neither the order of the data nor that of a sort decides, and candidates come before all others in two-tower order.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from florence.tasks.candidate_lists import OF_IMAGE, OF_TEXT


class CandidatePairs:
    """Candidates in both directions.

    Args:
        image_embeds: `(N, D)`, L2-normalised.
        text_embeds: `(M, D)`, L2-normalised.
        top_k: K, at least 1.
        chunk_size: Queries compared at once; `chunk_size` x max(N, M) scores exist at a time.

    Raises:
        ValueError: If K is below 1.
    """

    def __init__(self, image_embeds: Tensor, text_embeds: Tensor, top_k: int, chunk_size: int = 256) -> None:
        if top_k < 1:
            raise ValueError(f'top_k must be at least 1, got {top_k}; None looks at every pair.')
        # As in the metric: sums in float64, so that equal embeddings tie exactly.
        self.images, self.texts = image_embeds.double(), text_embeds.double()
        self.top_k, self.chunk_size = top_k, chunk_size
        self.text_bounds = torch.cat([_bounds(_cosines(chunk, self.images), top_k) for chunk in self.texts.split(chunk_size)])

    def of_images(self, rows: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Pairs of some images that are candidates in either direction.

        Args:
            rows: Indices of images, `(R,)` int64.

        Yields:
            For each image the texts `(P,)` int64 in ascending order and the lists that each pair is in `(P,)` uint8: `OF_IMAGE`,
            `OF_TEXT` or their sum; on the CPU.
        """
        for chunk in rows.split(self.chunk_size):
            scores = _cosines(self.images[chunk.to(self.images.device)], self.texts)
            lists = (scores > _bounds(scores, self.top_k)[:, None]).to(torch.uint8) * OF_IMAGE
            lists += (scores > self.text_bounds).to(torch.uint8) * OF_TEXT
            for row in lists.cpu():
                texts = row.nonzero().flatten()
                yield texts, row[texts]


def _cosines(queries: Tensor, items: Tensor) -> Tensor:
    """`(Q, N)` fp32; that of an item that is not a number is -inf, so that it is no candidate and does not hide others."""
    scores = (queries @ items.t()).float()
    return scores.masked_fill_(scores.isnan(), -torch.inf)


def _bounds(scores: Tensor, top_k: int) -> Tensor:
    """What the score of a candidate of each row must exceed: the (K + 1)-th largest; -inf where there are no more than K."""
    if scores.shape[1] <= top_k:
        return scores.new_full((len(scores),), -torch.inf)
    return scores.topk(top_k + 1, dim=1, sorted=False).values.amin(1)
