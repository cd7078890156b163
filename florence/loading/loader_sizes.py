"""Sizes of a data loader, whatever its kind."""

from torch.utils.data import DataLoader


def has_length(loader: DataLoader) -> bool:
    """Whether one pass of the data has an end that is known."""
    try:
        len(loader)
    except TypeError:
        return False
    return True


def batch_size_of(loader: DataLoader) -> int:
    """Samples in a batch of this rank; 1 where nobody knows."""
    size = loader.batch_size or getattr(loader.batch_sampler, 'batch_size', None)
    return size or getattr(loader.dataset, 'batch_size', None) or 1
