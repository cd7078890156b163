"""Which captions belong to which images of a retrieval set.

An image and a caption string belong together if the image has a caption with that string, so that a text shared by several
images ("a red seven") counts as right for each of them; `same_text_is_positive=False` gives the classical protocol in which only
the pair itself counts.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor


class PositivePairs:
    """The pairs of N images and M captions that belong together, listed only as far as they are asked for.

    Args:
        captions: The captions of each image; at least one image, and one caption each.
        same_text_is_positive: Whether an equal caption string of another image counts as right.

    Raises:
        ValueError: If an image has no caption.
    """

    def __init__(self, captions: Sequence[Sequence[str]], *, same_text_is_positive: bool = True) -> None:
        without = [index for index, own in enumerate(captions) if not own]
        if without:
            raise ValueError(f'{len(without)} images have no caption, first index {without[0]}: leave them out.')
        counts = torch.tensor([len(own) for own in captions])
        self.num_images, self.num_texts = len(captions), int(counts.sum())
        owner = torch.arange(self.num_images).repeat_interleave(counts)
        if same_text_is_positive:
            ids: dict[str, int] = {}
            strings = [ids.setdefault(string, len(ids)) for own in captions for string in own]
            self.string_of_text = torch.tensor(strings)
        else:
            self.string_of_text = torch.arange(self.num_texts)
        self.num_strings = int(self.string_of_text.max()) + 1
        # Each image with each of its strings once, also where it repeats a caption.
        self.keys = torch.unique(owner * self.num_strings + self.string_of_text)
        text_counts = torch.bincount(self.string_of_text, minlength=self.num_strings)
        self._starts = torch.cat([text_counts.new_zeros(1), text_counts.cumsum(0)])
        self._texts = torch.argsort(self.string_of_text, stable=True)

    def contain(self, images: Tensor, texts: Tensor) -> Tensor:
        """Whether pairs belong together, `(P,)` bool.

        Args:
            images, texts: Indices, `(P,)` int64.
        """
        keys = images * self.num_strings + self.string_of_text[texts]
        place = torch.searchsorted(self.keys, keys).clamp_max(len(self.keys) - 1)
        return self.keys[place] == keys

    def of_images(self, first: int, last: int) -> tuple[Tensor, Tensor]:
        """All pairs of the images `first` to `last` - 1: indices of images, less `first`, and of texts, `(P,)` each."""
        bounds = torch.tensor([first * self.num_strings, last * self.num_strings])
        start, end = torch.searchsorted(self.keys, bounds).tolist()
        image, string = self.keys[start:end] // self.num_strings - first, self.keys[start:end] % self.num_strings
        counts = self._starts[string + 1] - self._starts[string]
        entry = torch.arange(len(string)).repeat_interleave(counts)
        within = torch.arange(len(entry)) - (counts.cumsum(0) - counts)[entry]
        return image[entry], self._texts[self._starts[string][entry] + within]

    def blocks(self, size: int) -> Iterator[tuple[int, int]]:
        """First and last + 1 of blocks of `size` images."""
        for first in range(0, self.num_images, size):
            yield first, min(first + size, self.num_images)
