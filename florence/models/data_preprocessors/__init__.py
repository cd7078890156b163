"""Batching and normalisation of inputs on the device."""

from florence.models.data_preprocessors.image_text import ImageTextPreprocessor

__all__ = ['ImageTextPreprocessor']
