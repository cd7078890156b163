"""Data samples: what a data pipeline hands to a model and a model to a metric."""

from florence.structures.image_text_sample import ImageTextSample

__all__ = ['ImageTextSample']
