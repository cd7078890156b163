"""Batching and normalisation of inputs on the device."""

from florence.models.data_preprocessors.image_text import ImageTextPreprocessor
from florence.models.data_preprocessors.video_text import VideoTextPreprocessor

__all__ = ['ImageTextPreprocessor', 'VideoTextPreprocessor']
