"""Split a set that has no official split by a hash of a key, whatever the order of the samples."""

from dataclasses import dataclass

from florence.tasks.text_hash import text_label

SPLITS = ('train', 'val')


@dataclass(frozen=True)
class HashSplit:
    """Membership of samples in `'train'` or `'val'`.

    Samples of one key fall on the same side; adding samples later moves none of the old ones.

    Args:
        split: `'train'`, `'val'`, or None = all samples.
        val_share: Expected share of keys in `'val'`, in `(0, 1)`.

    Raises:
        ValueError: If an argument is out of range.
    """

    split: str | None = None
    val_share: float = 0.1

    def __post_init__(self) -> None:
        if self.split is not None and self.split not in SPLITS:
            raise ValueError(f'split must be one of {", ".join(SPLITS)} or None, not {self.split!r}')
        if not 0 < self.val_share < 1:
            raise ValueError(f'val_share must lie between 0 and 1, not {self.val_share}')

    def has(self, key: str) -> bool:
        """Whether the samples of this key belong to the split."""
        if self.split is None:
            return True
        in_val = text_label(f'split/{key}') < self.val_share * 2**63
        return in_val == (self.split == 'val')
