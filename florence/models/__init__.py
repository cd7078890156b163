"""Models; importing this package registers them all."""

from florence.models import backbones, data_preprocessors, detectors, heads, language, losses, two_tower

__all__ = ['backbones', 'data_preprocessors', 'detectors', 'heads', 'language', 'losses', 'two_tower']
