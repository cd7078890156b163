"""Ranks and recall of image-text retrieval in both directions, with several captions per image.

A query is a hit at K if any of its positives is among the first K candidates (the rule for COCO and
Flickr30k). Its rank is the number of competitors, that is candidates that are not positives, which do not
score below its best positive: a tie earns no credit.

An image and a caption string belong together if the image has a caption with that string, so that a text
shared by several images ("a red seven") counts as right for each of them; `same_text_is_positive=False`
gives the classical protocol in which only the pair itself counts.

Scores are accumulated in float64 and rounded to float32: equal embeddings then tie exactly, and the ranks do
not depend on how the matrix product is split into chunks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class RetrievalRanks:
    """Number of competitors not below the best positive; 0 = a positive comes first.

    Attributes:
        image_to_text: Rank of each image query, `(N,)` int64.
        text_to_image: Rank of each caption query, `(M,)` int64.
    """

    image_to_text: Tensor
    text_to_image: Tensor


@dataclass(frozen=True)
class _Groups:
    """For each of G owners a list of members: `members[starts[g]:starts[g + 1]]`."""

    starts: Tensor
    members: Tensor

    @classmethod
    def from_pairs(cls, owners: Tensor, members: Tensor, num_owners: int) -> '_Groups':
        order = torch.argsort(owners, stable=True)
        counts = torch.bincount(owners, minlength=num_owners)
        return cls(torch.cat([counts.new_zeros(1), counts.cumsum(0)]), members[order])

    def of(self, owners: Tensor) -> tuple[Tensor, Tensor]:
        """All members of `owners`: the position in `owners` that each belongs to, and the member."""
        counts = self.starts[owners + 1] - self.starts[owners]
        position = torch.repeat_interleave(torch.arange(len(owners)), counts)
        first_of_owner = counts.cumsum(0) - counts
        within = torch.arange(len(position)) - first_of_owner[position]
        return position, self.members[self.starts[owners][position] + within]


def retrieval_ranks(
    image_embeds: Tensor,
    text_embeds: Tensor,
    captions: Sequence[Sequence[str]],
    *,
    same_text_is_positive: bool = True,
    chunk_size: int = 512,
) -> RetrievalRanks:
    """Rank every image among the captions and every caption among the images.

    Args:
        image_embeds: `(N, D)`, L2-normalised.
        text_embeds: `(M, D)`, L2-normalised; the captions of image 0, then of image 1, and so on.
        captions: The M captions, by image; at least one each.
        same_text_is_positive: Whether an equal caption string of another image counts as right.
        chunk_size: Queries compared at once; at most `chunk_size` x max(N, M) scores exist at a time.

    Raises:
        ValueError: If the captions do not fit the embeddings, or an image has none.
    """
    _check(image_embeds, text_embeds, captions, chunk_size)
    num_images, num_texts = len(image_embeds), len(text_embeds)
    image_of_text = torch.tensor([i for i, own in enumerate(captions) for _ in own])
    text = torch.arange(num_texts)
    if same_text_is_positive:
        ids: dict[str, int] = {}
        strings = [string for own in captions for string in own]
        string_of_text = torch.tensor([ids.setdefault(string, len(ids)) for string in strings])
    else:
        string_of_text = text
    num_strings = int(string_of_text.max()) + 1
    # Each pair once, also where an image repeats a caption.
    image_string = torch.unique(torch.stack([image_of_text, string_of_text]), dim=1)
    return RetrievalRanks(
        image_to_text=_ranks(
            image_embeds, text_embeds, chunk_size,
            strings_of_query=_Groups.from_pairs(image_string[0], image_string[1], num_images),
            candidates_of_string=_Groups.from_pairs(string_of_text, text, num_strings),
        ),
        text_to_image=_ranks(
            text_embeds, image_embeds, chunk_size,
            strings_of_query=_Groups.from_pairs(text, string_of_text, num_texts),
            candidates_of_string=_Groups.from_pairs(image_string[1], image_string[0], num_strings),
        ),
    )  # fmt: skip


def _ranks(
    queries: Tensor,
    candidates: Tensor,
    chunk_size: int,
    *,
    strings_of_query: _Groups,
    candidates_of_string: _Groups,
) -> Tensor:
    """Rank of each query; a candidate is a positive of a query if they share a string."""
    ranks = []
    candidates = candidates.double().T
    for rows in torch.arange(len(queries)).split(chunk_size):
        scores = (queries[rows].double() @ candidates).float()
        row, string = strings_of_query.of(rows)
        entry, candidate = candidates_of_string.of(string)
        positive = torch.zeros_like(scores, dtype=torch.bool)
        positive[row[entry], candidate] = True
        best = scores.masked_fill(~positive, -torch.inf).amax(1, keepdim=True)
        # "not below" rather than "at least": it also counts scores that are not a number.
        ranks.append((~(scores < best) & ~positive).sum(1))
    return torch.cat(ranks)


def _check(image_embeds: Tensor, text_embeds: Tensor, captions: Sequence[Sequence[str]], chunk_size: int) -> None:
    num_captions = sum(len(own) for own in captions)
    if len(captions) != len(image_embeds) or num_captions != len(text_embeds) or not len(image_embeds):
        raise ValueError(
            'expected one list of captions per image and one embedding per caption, got '
            f'{len(image_embeds)} images, {len(captions)} lists with {num_captions} captions, and '
            f'{len(text_embeds)} text embeddings.'
        )
    without = [index for index, own in enumerate(captions) if not own]
    if without:
        raise ValueError(f'{len(without)} images have no caption, first index {without[0]}: leave them out.')
    if chunk_size < 1:
        raise ValueError(f'chunk_size must be at least 1, got {chunk_size}.')


def recall_at_k(ranks: Tensor, ks: Sequence[int]) -> dict[int, float]:
    """Share of queries with a positive among the first k candidates, percent.

    Args:
        ranks: 0-based ranks, `(Q,)`, Q > 0.
        ks: The values of k.
    """
    return {k: (ranks < k).double().mean().item() * 100 for k in ks}


def median_rank(ranks: Tensor) -> float:
    """Median of the 1-based ranks; between two middle values their mean."""
    return torch.quantile(ranks.double() + 1, 0.5).item()


def fold_ranks(
    image_embeds: Tensor,
    text_embeds: Tensor,
    captions: Sequence[Sequence[str]],
    *,
    fold_size: int = 1000,
    same_text_is_positive: bool = True,
    chunk_size: int = 512,
) -> list[RetrievalRanks]:
    """Ranks within consecutive folds of images.

    The "COCO 1K" figures are the mean over five folds of 1,000 of the 5,000 test images.

    Args:
        image_embeds, text_embeds, captions, same_text_is_positive, chunk_size: As for `retrieval_ranks`.
        fold_size: Images per fold.

    Raises:
        ValueError: If the images do not fill whole folds, or as `retrieval_ranks`.
    """
    _check(image_embeds, text_embeds, captions, chunk_size)
    if fold_size < 1 or len(captions) % fold_size:
        raise ValueError(f'{len(captions)} images do not fill whole folds of {fold_size}: change fold_size.')
    text_starts = [0]
    for own in captions:
        text_starts.append(text_starts[-1] + len(own))
    return [
        retrieval_ranks(
            image_embeds[start : start + fold_size],
            text_embeds[text_starts[start] : text_starts[start + fold_size]],
            captions[start : start + fold_size],
            same_text_is_positive=same_text_is_positive,
            chunk_size=chunk_size,
        )
        for start in range(0, len(captions), fold_size)
    ]
