"""The few classes that one batch is trained on, out of tens of thousands.

Logits of all 25,190 classes of FLOD-9M (Florence, arXiv 2111.11432, section 2.4) for the 22,000 anchors of one image take more
than a gigabyte. The paper does not say how it trains them; here a batch has the classes it shows, and as many others as there is
room for, drawn from those that were looked for in some image of the batch (federated loss, LVIS, arXiv 1908.03195).
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def sample_vocabulary(present: Sequence[Tensor], checked: Sequence[Tensor | None], num_classes: int, size: int) -> Tensor:
    """Classes of a batch, `(V,)` int64: those that it shows in ascending order, then others at random.

    V is at most `size`, except where the batch alone shows more classes; it is at least 1.

    Args:
        present: Labels of the boxes of each image.
        checked: Labels that were looked for in each image; None: all.
        num_classes: Number of all classes.
        size: Room.

    Raises:
        ValueError: If a label is outside `[0, num_classes)`.
    """
    shown = torch.unique(torch.cat([labels.reshape(-1) for labels in present]))
    if len(shown) and (int(shown[0]) < 0 or int(shown[-1]) >= num_classes):
        raise ValueError(
            f'the data has labels from {int(shown[0])} to {int(shown[-1])}, but there are embeddings of {num_classes} classes: '
            'write them from the same annotation file.'
        )
    candidates = torch.zeros(num_classes, dtype=torch.bool, device=shown.device)
    for labels in checked:
        candidates[:] |= True if labels is None else torch.isin(_all_labels(candidates), labels)
    candidates[shown] = False
    others = candidates.nonzero()[:, 0]
    others = others[torch.randperm(len(others)).to(others.device)[: max(0, size - len(shown))]]
    vocabulary = torch.cat([shown, others])
    # An image without boxes in which nobody looked for anything: one column without weight keeps the head alive.
    return vocabulary if len(vocabulary) else shown.new_zeros(1)


def _all_labels(mask: Tensor) -> Tensor:
    return torch.arange(len(mask), device=mask.device)


def checked_columns(vocabulary: Tensor, checked: Sequence[Tensor | None]) -> Tensor:
    """Whether each class of a vocabulary was looked for in each image, `(B, V)` float, 0 or 1.

    Args:
        vocabulary: Labels, `(V,)`.
        checked: Labels that were looked for in each image; None: all.
    """
    rows = [
        torch.ones_like(vocabulary, dtype=torch.bool) if labels is None else torch.isin(vocabulary, labels) for labels in checked
    ]
    return torch.stack(rows).float()


def columns_of(labels: Tensor, vocabulary: Tensor) -> Tensor:
    """Place of each label in a vocabulary that holds them all.

    Args:
        labels: `(N,)`.
        vocabulary: `(V,)`, in any order.
    """
    order = vocabulary.argsort()
    return order[torch.searchsorted(vocabulary[order], labels)]
