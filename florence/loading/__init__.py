"""Data loaders that resume at the exact sample, its augmentation included; they know nothing of particular data sets."""

from florence.loading.data_position import DataPosition
from florence.loading.resumable_loader import make_resumable

__all__ = ['DataPosition', 'make_resumable']
