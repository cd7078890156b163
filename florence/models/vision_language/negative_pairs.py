"""Pairs of a batch that do not match, for image-text matching (METER, arXiv 2111.02387, section 3.3).

Half of the texts keep their image, the others get an image of another pair of the batch; METER's code loads a second image from
the disk instead. A pair that matches is never a negative: two samples that show the same image, or whose texts are equal but for
case and blanks at the ends, match each other.

Hard negatives are images that look like the right one: ALBEF (arXiv 2107.07651, section 3.2) draws them by the similarity of
image and text, which takes a contrastive loss beside the others; here the image tokens before the fusion are compared with each
other, which a tower that was pretrained contrastively makes meaningful at no cost.

Axes: B pairs, L tokens, D width.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from florence.structures import ImageTextSample
from florence.tasks.text_hash import UNLABELLED, text_label

NEGATIVES = ('hard', 'random')
HARD_TEMPERATURE = 0.1


def matching_pairs(samples: Sequence[ImageTextSample], texts: Sequence[str]) -> Tensor:
    """Which text matches which image as far as a batch can tell, `(B, B)` bool, symmetric, true on the diagonal.

    Args:
        samples: Of the images.
        texts: Their texts.
    """
    keys = [
        [text_label(text, 'casefold') for text in texts],
        _identities([sample.get('label', UNLABELLED) for sample in samples], UNLABELLED),
        _identities([sample.get('img_path', sample.get('image_id')) for sample in samples], None),
    ]
    matches = torch.eye(len(texts), dtype=torch.bool)
    for key in keys:
        numbers = torch.tensor(key)
        matches |= numbers[:, None] == numbers[None]
    return matches


def draw_images(matches: Tensor, image: Tensor, negatives: str) -> tuple[Tensor, Tensor]:
    """One image per text: the right one for half of the texts, drawn at random, another for the rest.

    A text that every image of the batch matches keeps its own.

    Args:
        matches: `(B, B)` bool, as `matching_pairs` gives it.
        image: Image tokens before the fusion, `(B, L, D)`.
        negatives: 'hard' or 'random'.

    Returns:
        Index of each text's image, `(B,)` int64, and whether it is the right one, `(B,)` int64, 1 = match; on the CPU.
    """
    weights = (~matches).float()
    if negatives == 'hard':
        likeness = (_likeness(image.detach()) / HARD_TEMPERATURE).softmax(1)
        # Not a number: then the loss is none either, which `FiniteLossHook` says.
        weights *= likeness.nan_to_num(0.0).clamp(min=1e-6)
    num_pairs = len(matches)
    gets_other = torch.zeros(num_pairs, dtype=torch.bool)
    gets_other[torch.randperm(num_pairs)[num_pairs // 2 :]] = True
    gets_other &= weights.any(1)
    index = torch.arange(num_pairs)
    if gets_other.any():
        index[gets_other] = torch.multinomial(weights[gets_other], 1).squeeze(1)
    return index, (~gets_other).long()


def next_other(matches: Tensor) -> Tensor:
    """For each text the next image of the batch that it does not match, `(B,)` int64; -1 where there is none.

    Args:
        matches: `(B, B)` bool, as `matching_pairs` gives it.
    """
    num_pairs = len(matches)
    order = (torch.arange(num_pairs)[:, None] + torch.arange(num_pairs)) % num_pairs  # row i: i, i + 1, ...
    differs = ~matches.gather(1, order)
    step = differs.float().argmax(1)  # the first of the largest
    return torch.where(differs.any(1), order.gather(1, step[:, None]).squeeze(1), -1)


def _likeness(image: Tensor) -> Tensor:
    """Cosine of the images' features, `(B, B)` fp32; what all images share is taken off first."""
    feature = image.float().mean(1)  # (B, L, D) -> (B, D)
    feature = F.normalize(feature - feature.mean(0), dim=1)
    return (feature @ feature.T).cpu()


def _identities(values: Sequence[object], unknown: object) -> list[int]:
    """Equal numbers for equal values; one of its own for each unknown."""
    numbers: dict[object, int] = {}
    return [
        -1 - position if value is None or value == unknown else numbers.setdefault(value, position)
        for position, value in enumerate(values)
    ]
