"""Models; importing this package registers them all."""

from florence.models import (
    backbones,
    data_preprocessors,
    detectors,
    florence2,
    fusion,
    heads,
    language,
    losses,
    segmentation,
    two_tower,
    video,
    vision_language,
)

__all__ = [
    'backbones', 'data_preprocessors', 'detectors', 'florence2', 'fusion', 'heads', 'language', 'losses', 'segmentation',
    'two_tower', 'video', 'vision_language',
]  # fmt: skip
